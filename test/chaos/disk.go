package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// ballast is the file that fills a disk.
const ballast = ".ballast"

// onDisk fills a disk, or has it stand still.
func (f Fault) onDisk() steps {
	if f.Kind == Stall {
		return steps{inject: []Command{{"fsfreeze", "--freeze", f.Path}}, heal: []Command{{"fsfreeze", "--unfreeze", f.Path}}}
	}
	file := filepath.Join(f.Path, ballast)
	return steps{
		// It ends with "no space left on device", as it should; anything else leaves space, which df finds.
		inject: []Command{{"sh", "-c", `dd if=/dev/zero of="$0" bs=64k 2>/dev/null; dd if=/dev/zero of="$0.rest" bs=512 2>/dev/null; ` +
			`test "$(stat --file-system --format %a "$1")" -lt 16`, file, f.Path}},
		heal: []Command{{"rm", "-f", file, file + ".rest"}},
	}
}

// slow bounds what a container writes to the device below a path, by its control group.
func (f Fault) slow(ctx context.Context, run Run) (steps, error) {
	c, err := run.running(ctx, f.Target)
	if err != nil {
		return steps{}, err
	}
	var stat unix.Stat_t
	if err := unix.Stat(f.Path, &stat); err != nil {
		return steps{}, fmt.Errorf("which device has %s: %w", f.Path, err)
	}
	device := fmt.Sprintf("%d:%d", unix.Major(stat.Dev), unix.Minor(stat.Dev))
	group, v2, err := controlGroup(c.State.Pid, "blkio")
	if err != nil {
		return steps{}, err
	}
	file, limit, none := filepath.Join(group, "blkio.throttle.write_bps_device"), device+" "+strconv.Itoa(f.Rate), device+" 0"
	if v2 {
		file, limit, none = filepath.Join(group, "io.max"), device+" wbps="+strconv.Itoa(f.Rate), device+" wbps=max"
	}
	write := func(text string) []Command { return []Command{{"sh", "-c", `echo "$0" > "$1"`, text, file}} }
	return steps{inject: write(limit), heal: write(none)}, nil
}

// Disk is a file system of its own, in a file, that containers can be given as a volume.
type Disk struct {
	// Path is where it is mounted.
	Path string

	run  Run
	file string
}

// NewDisk makes a disk of so many bytes below a folder, which has to be there. Whoever uses it may write to it.
func NewDisk(ctx context.Context, run Run, folder, name string, size int64) (*Disk, error) {
	d := &Disk{Path: filepath.Join(folder, name), run: run, file: filepath.Join(folder, name+".img")}
	for _, command := range []Command{
		{"mkdir", "-p", d.Path},
		{"truncate", "--size", strconv.FormatInt(size, 10), d.file},
		{"mkfs.ext4", "-q", "-m", "0", d.file}, // root has nothing that others have not
		{"mount", "-o", "loop", d.file, d.Path},
		{"chmod", "0777", d.Path},
	} {
		if _, err := run(ctx, command); err != nil {
			return nil, errors.Join(fmt.Errorf("disk %s: %w", d.Path, err), d.Remove(context.WithoutCancel(ctx)))
		}
	}
	return d, nil
}

// Remove removes the disk with what is on it. Nobody may use it any more.
func (d *Disk) Remove(ctx context.Context) error {
	if _, err := d.run(ctx, Command{"mountpoint", "-q", d.Path}); err == nil {
		if _, err := d.run(ctx, Command{"umount", d.Path}); err != nil {
			return fmt.Errorf("disk %s: %w", d.Path, err)
		}
	}
	return errors.Join(os.RemoveAll(d.Path), os.RemoveAll(d.file))
}
