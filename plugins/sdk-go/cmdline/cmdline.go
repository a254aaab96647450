// Package cmdline gives the arguments the process shows. In plugin.toml: "cmdline". Level claimed: a
// process can write there whatever it likes, at any time.
package cmdline

import "witgate.dev/sdk/internal/provided"

// Arguments reads the fact cmdline.arguments: any bytes, cut at 4096 bytes in all.
func Arguments() ([][]byte, error) { return by.Get().Arguments() }

// Provider answers the functions of this package.
type Provider interface {
	Arguments() ([][]byte, error)
}

var by = provided.By[Provider]{Interface: "cmdline"}

// Provide says who answers; the component and witgatetest do it.
func Provide(p Provider) { by.Set(p) }
