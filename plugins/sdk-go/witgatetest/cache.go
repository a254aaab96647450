package witgatetest

import (
	"fmt"
	"slices"
	"sync"

	"witgate.dev/sdk/cache"
)

// using is held by the call that answers the functions of the SDK; there is one at a time.
var using sync.Mutex

// kept is where something is kept in the cache, which is empty when a call begins.
type kept struct {
	scope cache.Scope
	key   string
}

var (
	imageFacts   = []string{"executable.doubts", "executable.info", "executable.sha256"}
	claimedFacts = []string{
		"ancestry.parents", "cgroups.claimed", "cmdline.arguments", "environ.variables",
		"files.workload", "process.comm",
	}
)

const (
	maxCacheKey   = 256
	maxCacheValue = 64 << 10
)

type ofCache struct{ *call }

// Get finds what this same call has kept.
func (c ofCache) Get(scope cache.Scope, key string) (cache.Hit, bool, error) {
	if len(key) > maxCacheKey {
		return cache.Hit{}, false, cache.ErrTooLarge
	}
	found, ok := c.kept[kept{scope, key}]
	return cache.Hit{Value: found}, ok, nil
}

// Put keeps it for this call, by the rules of the scope.
func (c ofCache) Put(scope cache.Scope, key string, value []byte, _ uint32) error {
	if len(key) > maxCacheKey || len(value) > maxCacheValue {
		return cache.ErrTooLarge
	}
	for _, fact := range sorted(c.read) {
		claimed := scope != cache.Process && slices.Contains(claimedFacts, fact)
		if claimed || slices.Contains(imageFacts, fact) {
			word := [...]string{"process", "cgroup", "plugin"}[scope]
			return &cache.RefusedError{Reason: fmt.Sprintf(
				"this call has read `%s`, which must not outlive it in scope %s", fact, word)}
		}
	}
	c.kept[kept{scope, key}] = slices.Clone(value)
	return nil
}
