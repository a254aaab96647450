// Package component connects the SDK with a component's imports and exports. `witgate plugin build`
// compiles it into a plugin, together with bindings that it generates for the interfaces that
// plugin.toml asks for; so this package cannot be built without it.
//
// There is one file for each interface. The interfaces that not every plugin has are behind a build
// constraint, so that a component imports what plugin.toml asks for and nothing else.
package component
