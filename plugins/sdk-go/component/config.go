//go:build wasip1

package component

import (
	bindings "witgate.dev/bindings/imports/witgate_attestor_config"
	"witgate.dev/sdk/config"
)

func init() { config.Provide(ofConfig{}) }

type ofConfig struct{}

func (ofConfig) Settings() string { return bindings.Settings() }

func (ofConfig) Wants(key string) bool { return bindings.Wants(key) }

func (ofConfig) RemainingMS() uint32 { return bindings.RemainingMs() }
