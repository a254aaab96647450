//go:build wasip1

package component

import (
	bindings "witgate.dev/bindings/imports/witgate_attestor_log"
	"witgate.dev/sdk/log"
)

func init() { log.Provide(ofLog{}) }

type ofLog struct{}

// The levels have the same numbers on both sides.
func (ofLog) Write(level log.Level, message string) { bindings.Write(uint8(level), valid(message)) }
