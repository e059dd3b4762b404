// Command panics ends in the ways in which a program can, with a secret in its hands.
package main

import (
	"fmt"
	"os"

	"github.com/neuron7x/mlsdm-integrations/internal/secret"
)

// holder has a secret among other things, as configurations have.
type holder struct {
	Name string
	Key  secret.Value
	keys []secret.Value
	next *holder
}

func main() {
	key := secret.NewValue(os.Getenv("KEY"))
	h := holder{Name: "holder", Key: key, keys: []secret.Value{key}}
	h.next = &holder{Key: key}
	fail(os.Args[1], key, h, &h)
}

// fail panics, with secrets as arguments and in variables.
//
//go:noinline
func fail(how string, key secret.Value, h holder, p *holder) {
	text := key.Reveal()
	switch how {
	case "value":
		panic(key)
	case "struct":
		panic(h)
	case "pointer":
		panic(p)
	case "text":
		panic(fmt.Sprintf("%v %+v %#v %s %q %x %v", key, h, p, key, key, key, p))
	case "error":
		panic(fmt.Errorf("with %v and %+v", key, h))
	case "nil":
		var none *holder
		panic(none.Name + text)
	case "index":
		none := h.keys[:0]
		panic(none[len(text)])
	case "goroutine":
		go fail("nil", key, h, p)
		select {}
	}
}
