//go:build wasip1 && witgate_cache

package component

import (
	bindings "witgate.dev/bindings/imports/witgate_attestor_cache"
	"witgate.dev/sdk/cache"
)

func init() { cache.Provide(ofCache{}) }

// ofCache passes scopes on as they are: they have the same numbers on both sides.
type ofCache struct{}

func (ofCache) Get(scope cache.Scope, key string) (cache.Hit, bool, error) {
	told := bindings.Get(uint8(scope), key)
	if told.IsErr() {
		return cache.Hit{}, false, cacheError(told.Err())
	}
	if told.Ok().IsNone() {
		return cache.Hit{}, false, nil
	}
	hit := told.Ok().Some()
	return cache.Hit{Value: hit.Value, AgeMS: hit.AgeMs}, true, nil
}

func (ofCache) Put(scope cache.Scope, key string, value []byte, ttlMS uint32) error {
	told := bindings.Put(uint8(scope), key, value, ttlMS)
	if told.IsErr() {
		return cacheError(told.Err())
	}
	return nil
}

func cacheError(failed bindings.CacheError) error {
	if failed.Tag() == bindings.CacheError_Refused {
		return &cache.RefusedError{Reason: failed.Refused()}
	}
	return cache.ErrTooLarge
}
