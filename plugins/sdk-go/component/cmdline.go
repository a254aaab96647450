//go:build wasip1 && witgate_cmdline

package component

import (
	bindings "witgate.dev/bindings/imports/witgate_attestor_cmdline"
	"witgate.dev/sdk/cmdline"
)

func init() { cmdline.Provide(ofCmdline{}) }

type ofCmdline struct{}

func (ofCmdline) Arguments() ([][]byte, error) { return fact(bindings.Arguments()) }
