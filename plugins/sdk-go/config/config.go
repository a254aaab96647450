// Package config gives what the operator and this call want of the plugin. Every plugin may use it.
package config

import "witgate.dev/sdk/internal/provided"

// Settings gives the plugin's own settings, the settings table of its configuration as a JSON
// object.
func Settings() string { return by.Get().Settings() }

// Wants says whether anybody wants this key in this call: an entry, a test, a template, or a person
// who asked for everything. A plugin may skip the work for a key that is not wanted; it must not
// leave out one that is.
func Wants(key string) bool { return by.Get().Wants(key) }

// RemainingMS gives the milliseconds left of this call.
func RemainingMS() uint32 { return by.Get().RemainingMS() }

// Provider answers the functions of this package.
type Provider interface {
	Settings() string
	Wants(key string) bool
	RemainingMS() uint32
}

var by = provided.By[Provider]{Interface: "config"}

// Provide says who answers; the component and witgatetest do it.
func Provide(p Provider) { by.Set(p) }
