package config

import (
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// addSources reads the file and hands it to kong together with the environment.
func (p *parser) addSources(ctx *kong.Context) error {
	f, err := p.openFile(ctx)
	if err != nil {
		return err
	}
	ctx.AddResolver(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		if p.flags[flag.Name] == nil {
			return nil, nil // an action: only the command line gives it
		}
		value, err := p.fromEnvironment(flag)
		if value != nil || err != nil {
			return value, err
		}
		return p.fromFile(f, flag)
	}))
	return nil
}

// openFile reads the file that the command line, the caller or the environment names; none is an empty file.
func (p *parser) openFile(ctx *kong.Context) (*file, error) {
	path := p.o.File
	if path == "" {
		path, _ = p.o.Lookup(FileEnv)
	}
	for _, el := range ctx.Path {
		if el.Flag != nil && el.Flag.Name == "config" {
			path, _ = ctx.FlagValue(el.Flag).(string)
		}
	}
	if p.o.FileRead != nil {
		*p.o.FileRead = path
	}
	if path == "" {
		return &file{}, nil
	}
	return readFile(path, p.layout())
}

// fromEnvironment returns the first variable of the flag that is set to something, or nil.
func (p *parser) fromEnvironment(flag *kong.Flag) (any, error) {
	for _, name := range p.envs[flag.Name] {
		value, _ := p.o.Lookup(name)
		if value == "" {
			continue
		}
		p.origins[flag.Name] = name
		if !utf8.ValidString(value) {
			return nil, fmt.Errorf("%s is not valid UTF-8", name)
		}
		if flag.IsSlice() && flag.Tag.Sep != -1 {
			value = trimElements(value, flag.Tag.Sep)
		}
		return value, nil
	}
	return nil, nil
}

// trimElements lets people write "a, b" for "a,b".
func trimElements(value string, sep rune) string {
	elements := kong.SplitEscaped(value, sep)
	for i, e := range elements {
		elements[i] = strings.TrimSpace(e)
	}
	return kong.JoinEscaped(elements, sep)
}

// fromFile returns the value that the file has for the flag, or nil.
func (p *parser) fromFile(f *file, flag *kong.Flag) (any, error) {
	s, ok := f.setting(flag.Name)
	if !ok {
		return nil, nil
	}
	p.origins[flag.Name] = f.at(s.node)
	return s.value(flag)
}

// layout describes to the file reader what this program knows.
func (p *parser) layout() layout {
	l := layout{section: p.o.Section, isMap: map[string]bool{}, known: Known{}}
	maps.Copy(l.known, p.o.Known)
	own := make([]string, 0, len(p.flags))
	for name, flag := range p.flags {
		own = append(own, name)
		l.isMap[name] = flag.IsMap()
	}
	l.known[p.o.Section] = own
	return l
}
