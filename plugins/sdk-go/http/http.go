// Package http sends requests to endpoints that the operator named, which plugin.toml asks for by
// that name: "http:NAME". Where an endpoint is (a Unix socket, or a TLS origin with its own
// authority and token), which methods and which paths it may be asked for, stands in the daemon's
// configuration and is unknown to the plugin.
//
// Fact http.response, level runtime. Redirects are not followed.
package http

import (
	"errors"

	"witgate.dev/sdk/internal/provided"
)

// Header is one header field.
type Header struct {
	// Name of it, in lower case.
	Name string
	// Value of it.
	Value string
}

// Request is what is asked. The host adds host, the token and the length.
type Request struct {
	// Method is GET, or another that the operator allows.
	Method string
	// Path and query, from / on.
	Path string
	// Headers, at most 32.
	Headers []Header
	// Body, at most 64 KiB.
	Body []byte
}

// Response is what came back, whatever its status.
type Response struct {
	// Status code.
	Status uint16
	// Headers are only content-type, etag and retry-after, if they were there.
	Headers []Header
	// Body, at most what the operator allows: 1 MiB unless told otherwise, never more than 16.
	Body []byte
}

var (
	// ErrTimeout says that no whole response came in time.
	ErrTimeout = errors.New("no whole response in time")
	// ErrTooLarge says that the response is over its limit.
	ErrTooLarge = errors.New("the response is larger than the limit")
)

// An UnreachableError says that nobody answers there, or that TLS failed.
type UnreachableError struct{ Reason string }

// Error gives the reason.
func (e *UnreachableError) Error() string { return "nobody answers: " + e.Reason }

// A RefusedError says that the operator does not allow this method or path, or that the request is
// malformed.
type RefusedError struct{ Reason string }

// Error gives the reason.
func (e *RefusedError) Error() string { return "refused: " + e.Reason }

// A MalformedError says that what came back is not HTTP.
type MalformedError struct{ Reason string }

// Error gives the reason.
func (e *MalformedError) Error() string { return "not HTTP: " + e.Reason }

// Get asks an endpoint for a path.
func Get(endpoint, path string) (Response, error) {
	return Send(endpoint, Request{Method: "GET", Path: path})
}

// Send sends a request and waits for the whole response. An endpoint that plugin.toml does not ask
// for ends the call.
func Send(endpoint string, request Request) (Response, error) {
	return by.Get().Send(endpoint, request)
}

// Provider answers the functions of this package.
type Provider interface {
	Send(endpoint string, request Request) (Response, error)
}

var by = provided.By[Provider]{Interface: "http"}

// Provide says who answers; the component and witgatetest do it.
func Provide(p Provider) { by.Set(p) }
