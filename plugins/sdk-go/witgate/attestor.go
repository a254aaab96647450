package witgate

import "witgate.dev/sdk/internal/exported"

// Attestor is a plugin. Every function runs in a fresh instance of the component.
type Attestor interface {
	// Describe says what the plugin can report; the same every time. It may call nothing but log.
	Describe() Manifest
	// Attest looks at the process of this call. An error says that there is no report:
	// ErrNotApplicable, Retry and Unavailable have their own meaning, any other means that the
	// plugin cannot tell. A panic is such an error, with the line it came from.
	Attest() (Report, error)
}

// Validator is an Attestor with settings. One that is none takes an empty object only.
type Validator interface {
	// Validate checks settings, a JSON object, before they are used. It may call nothing but log.
	// The error is for the operator.
	Validate(settings string) error
}

// Export makes an attestor the one of this component. Call it once, in an init function of package
// main; it does nothing in a test.
func Export(attestor Attestor) { exported.Attestor = attestor }
