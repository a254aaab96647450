//go:build wasip1 && witgate_environ

package component

import (
	bindings "witgate.dev/bindings/imports/witgate_attestor_environ"
	"witgate.dev/sdk/environ"
)

func init() { environ.Provide(ofEnviron{}) }

type ofEnviron struct{}

func (ofEnviron) Variable(name string) ([]byte, bool, error) { return maybe(bindings.Variable(name)) }
