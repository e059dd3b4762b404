package hooks

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// What can be wrong with a body that is read.
var (
	errSlow   = errors.New("the body comes too slowly")
	errBroken = errors.New("the body broke off")
)

// Buffers have a few sizes, each four times the one before; the first ones are used again.
const (
	firstBuffer = 16 << 10
	growth      = 4
	kept        = 4 // 16 KiB, 64 KiB, 256 KiB and 1 MiB
)

// buffers are kept to be used again, by size.
type buffers [kept]sync.Pool

// of returns the pool of buffers of a size, nil if there is none.
func (b *buffers) of(size int) *sync.Pool {
	for n := range b {
		if size == firstBuffer<<(2*n) {
			return &b[n]
		}
	}
	return nil
}

// get returns an empty buffer of a size.
func (b *buffers) get(size int) *[]byte {
	if pool := b.of(size); pool != nil {
		if buffer, ok := pool.Get().(*[]byte); ok {
			return buffer
		}
	}
	buffer := make([]byte, 0, size)
	return &buffer
}

// put takes a buffer back.
func (b *buffers) put(buffer *[]byte) {
	if pool := b.of(cap(*buffer)); pool != nil {
		*buffer = (*buffer)[:0]
		pool.Put(buffer)
	}
}

// body is the body of a request while it is read, verified and understood.
type body struct {
	door          *Door
	request       *http.Request
	from          io.Reader
	control       *http.ResponseController
	began         time.Time
	common, large guest // its memory in the rooms
	buffer        *[]byte
}

// newBody prepares to read the body of a request.
func (d *Door) newBody(w http.ResponseWriter, r *http.Request) *body {
	b := &body{
		door: d, request: r, began: time.Now(), control: http.NewResponseController(w),
		from: http.MaxBytesReader(w, r.Body, int64(d.bounds.Body)),
	}
	b.common.expel = b.expel
	b.large.expel = b.expel
	return b
}

// expel ends a read that is going on.
func (b *body) expel() { _ = b.control.SetReadDeadline(time.Unix(1, 0)) } // what is closed need not be ended

// read reads all of it. Its memory grows with what has come, not with what was announced.
func (b *body) read() error {
	if err := b.grow(); err != nil {
		return err
	}
	for {
		buffer := *b.buffer
		if len(buffer) == cap(buffer) {
			if err := b.grow(); err != nil {
				return err
			}
			buffer = *b.buffer
		}
		if err := b.control.SetReadDeadline(b.deadline(len(buffer))); err != nil {
			return errBroken
		}
		if b.door.common.gone(&b.common) || b.door.large.gone(&b.large) { // the deadline may have been moved just now
			return errFull
		}
		n, err := b.from.Read(buffer[len(buffer):cap(buffer)])
		*b.buffer = buffer[:len(buffer)+n]
		if err == nil {
			continue
		}
		return b.end(err)
	}
}

// deadline is until when more has to come, when some has.
func (b *body) deadline(received int) time.Time {
	bounds := b.door.bounds
	earned := bounds.Grace + time.Duration(float64(received)/float64(bounds.Rate)*float64(time.Second))
	return b.began.Add(min(earned, bounds.BodyTime))
}

// end says what the end of the reading means. The body may be thrown out no more.
func (b *body) end(err error) error {
	b.door.common.settle(&b.common)
	b.door.large.settle(&b.large)
	if errors.Is(err, io.EOF) {
		// The server reads on, to see whether the client goes away; that has no deadline.
		if err := b.control.SetReadDeadline(time.Time{}); err != nil {
			return errBroken
		}
		return nil
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return err
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return errBroken
	case b.door.common.gone(&b.common) || b.door.large.gone(&b.large):
		return errFull
	default:
		return errSlow
	}
}

// grow gets a first buffer, or one of the next size.
func (b *body) grow() error {
	size := firstBuffer
	switch announced := int(b.request.ContentLength); {
	case b.buffer != nil:
		size = min(cap(*b.buffer)*growth, b.door.bounds.Body+1) // where the byte shows that is too many
		if b.door.buffers.of(size) == nil && announced > cap(*b.buffer) {
			size = min(size, announced)
		}
	case announced > firstBuffer:
		size *= growth
	}
	room, guest := b.place(size)
	if err := room.take(guest, size); err != nil {
		return err
	}
	larger := b.door.buffers.get(size)
	if b.buffer != nil {
		*larger = append(*larger, *b.buffer...)
		b.put()
	}
	b.buffer = larger
	return nil
}

// place is where a buffer of a size has its memory.
func (b *body) place(size int) (*room, *guest) {
	if size <= b.door.bounds.Common {
		return b.door.common, &b.common
	}
	return b.door.large, &b.large
}

// put gives the buffer back.
func (b *body) put() {
	size := cap(*b.buffer)
	b.door.buffers.put(b.buffer)
	b.buffer = nil
	room, guest := b.place(size)
	room.give(guest, size)
}

// close gives back what it has. It may be called twice.
func (b *body) close() {
	if b.buffer != nil {
		b.put()
	}
}

// bytes are what was read, until close.
func (b *body) bytes() []byte { return *b.buffer }
