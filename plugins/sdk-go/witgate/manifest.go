package witgate

// Manifest is what a plugin says about itself.
type Manifest struct {
	// Keys are every key it can ever report.
	Keys []SelectorKey
	// ConfigSchema is a JSON schema (draft 2020-12) of the settings; empty if there are none.
	ConfigSchema string
}

// SelectorKey is one selector key that the plugin can report.
type SelectorKey struct {
	// Key is a lower-case word: uid, label.
	Key string
	// Meaning is what it means, in a sentence.
	Meaning string
	// Example is a value as an example.
	Example string
	// DerivedFrom names the facts it is derived from, such as process.credentials. Its assurance is
	// the lowest level among them. A report with this key is refused unless all of them were read
	// successfully in that call.
	DerivedFrom []string
	// Named says that its selectors carry a name: docker:label:tier:web has the name tier.
	Named bool
	// Stable says that the value does not change while the process lives. Only such keys may stand
	// in an identity template.
	Stable bool
	// Single says that there is at most one selector of this key (and name). Only such keys may
	// stand in an identity template.
	Single bool
	// Secret says that the value is shown as its length and a keyed hash.
	Secret bool
}
