// Package cache keeps bytes that outlive the call, for what is dear to find out again. In
// plugin.toml, by scope: "cache:process", "cache:cgroup", "cache:plugin". Kept in memory only; what
// is kept may be forgotten at any time.
//
// What a plugin takes from the cache counts as read from the facts that the call which put it there
// had read. Only one call at a time finds a key missing; others that ask for it meanwhile wait for
// its answer.
package cache

import (
	"errors"

	"witgate.dev/sdk/internal/provided"
)

// Scope is how long something may be kept, and who finds it.
type Scope uint8

const (
	// Process is for calls about this very process, until it ends. Nothing may be put once this
	// call has read a fact of level image: a process may become another program.
	Process Scope = iota
	// Cgroup is for calls about processes in this control group, until it ends. Nothing may be put
	// once this call has read a fact of level image or claimed.
	Cgroup
	// Plugin is for all calls of this plugin. The same rule.
	Plugin
)

// Hit is what was kept.
type Hit struct {
	// Value is the bytes.
	Value []byte
	// AgeMS is how long ago they were put there, in milliseconds.
	AgeMS uint32
}

// ErrTooLarge is a key over 256 bytes, or a value over 64 KiB.
var ErrTooLarge = errors.New("it is too large for the cache")

// A RefusedError says which rule of the scope forbids it.
type RefusedError struct{ Reason string }

// Error gives the reason.
func (e *RefusedError) Error() string { return "the cache refuses it: " + e.Reason }

// Get looks something up; false if it is not there.
func Get(scope Scope, key string) (hit Hit, found bool, err error) { return by.Get().Get(scope, key) }

// Put keeps something for so many milliseconds, at most an hour.
func Put(scope Scope, key string, value []byte, ttlMS uint32) error {
	return by.Get().Put(scope, key, value, ttlMS)
}

// Provider answers the functions of this package.
type Provider interface {
	Get(scope Scope, key string) (hit Hit, found bool, err error)
	Put(scope Scope, key string, value []byte, ttlMS uint32) error
}

var by = provided.By[Provider]{Interface: "cache"}

// Provide says who answers; the component and witgatetest do it.
func Provide(p Provider) { by.Set(p) }
