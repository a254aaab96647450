// Package provided holds who answers the functions of an interface: the daemon inside a component,
// a fixture in a test, and nobody elsewhere.
package provided

// By is a place for a provider of type P.
type By[P any] struct {
	// Interface is its name in plugin.toml, for the message.
	Interface string
	provider  P
}

// Set puts a provider there; nil takes it away.
func (b *By[P]) Set(provider P) { b.provider = provider }

// Get gives the provider, and panics with a sentence if there is none.
func (b *By[P]) Get() P {
	if any(b.provider) == nil {
		panic(b.Interface + ": there is no process to ask about here; " +
			"use it in Attest, and in a test below witgatetest")
	}
	return b.provider
}
