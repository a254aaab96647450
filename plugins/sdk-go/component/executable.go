//go:build wasip1 && witgate_executable

package component

import (
	bindings "witgate.dev/bindings/imports/witgate_attestor_executable"
	"witgate.dev/sdk/executable"
)

func init() { executable.Provide(ofExecutable{}) }

type ofExecutable struct{}

func (ofExecutable) Info() (executable.Program, error) {
	found, err := fact(bindings.Info())
	return executable.Program(found), err
}

func (ofExecutable) Doubts() ([]string, error) { return fact(bindings.Doubts()) }

func (ofExecutable) SHA256() (string, error) { return fact(bindings.Sha256()) }
