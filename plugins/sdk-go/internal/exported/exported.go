// Package exported holds what package main exports, for the component.
package exported

// Attestor is a witgate.Attestor, which this package cannot name without a cycle.
var Attestor any
