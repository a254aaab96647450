// Package environ gives variables of the environment that the process was started with, which
// plugin.toml asks for one by one: "environ:NAME". Level claimed: a process can write there whatever
// it likes, at any time.
package environ

import "witgate.dev/sdk/internal/provided"

// Variable reads the fact environ.variables: the value of one variable, any bytes, at most 4096 of
// them; false if the process has no such variable. A name that plugin.toml does not ask for ends the
// call.
func Variable(name string) (value []byte, found bool, err error) { return by.Get().Variable(name) }

// Provider answers the functions of this package.
type Provider interface {
	Variable(name string) (value []byte, found bool, err error)
}

var by = provided.By[Provider]{Interface: "environ"}

// Provide says who answers; the component and witgatetest do it.
func Provide(p Provider) { by.Set(p) }
