package witgate

import "witgate.dev/sdk/internal/showable"

// Report is what an attestor found out. The zero value says that nothing holds so far.
type Report struct {
	// Selectors are what holds.
	Selectors []Selector
	// Unknown are the keys about which nothing can be said in this call.
	Unknown []UnknownKey
}

// Selector is one selector; the daemon puts the plugin's configured name in front.
type Selector struct {
	// Key is a key of the manifest.
	Key string
	// Name is for keys with names, and only for those.
	Name string
	// Value has at most 4096 bytes and no control characters.
	Value string
}

// UnknownKey is a key about which nothing can be said in this call.
type UnknownKey struct {
	// Key is a key of the manifest.
	Key string
	// Reason is for the operator.
	Reason string
}

// Add adds a selector.
//
// The daemon refuses a whole report over one value that is empty, has more than 4096 bytes, is not
// UTF-8 or holds a control character or a bidirectional override. So a value like that makes the key
// unknown instead.
func (r *Report) Add(key, value string) {
	r.add(Selector{Key: key, Value: value}, showable.Value(value))
}

// AddNamed adds a selector of a key with names, such as label.
func (r *Report) AddNamed(key, name, value string) {
	fit := showable.Name(name) && showable.Value(value)
	r.add(Selector{Key: key, Name: name, Value: value}, fit)
}

// AddUnknown says that nothing can be said about a key, and why.
func (r *Report) AddUnknown(key string, reason error) {
	r.Unknown = append(r.Unknown, UnknownKey{Key: key, Reason: reason.Error()})
}

func (r *Report) add(selector Selector, fit bool) {
	if !fit {
		reason := "its value is empty, too long or holds control characters"
		r.Unknown = append(r.Unknown, UnknownKey{Key: selector.Key, Reason: reason})
		return
	}
	r.Selectors = append(r.Selectors, selector)
}
