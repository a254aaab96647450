package witgate

import "errors"

// Why a fact is not there. It is never a reason to guess.
var (
	// ErrGone says that the process has exited. The request ends whatever the plugin makes of it.
	ErrGone = errors.New("the process has exited")
	// ErrDenied says that the kernel does not let the daemon read it.
	ErrDenied = errors.New("the kernel does not let the daemon read it")
	// ErrUnsupported says that this kernel, host or configuration does not have it.
	ErrUnsupported = errors.New("this host does not have it")
	// ErrTooLarge says that it is there, and larger than the limit.
	ErrTooLarge = errors.New("it is larger than the limit")
)

// An IOError is any other reason for which a fact is not there.
type IOError struct {
	// Text is for a log line.
	Text string
}

// Error gives the text.
func (e *IOError) Error() string { return e.Text }

// ErrNotApplicable says that this is not the plugin's kind of process: none of its keys holds. It
// means no.
var ErrNotApplicable = errors.New("not this plugin's kind of process")

// A RetryError asks to be asked again; the instance is freed meanwhile.
type RetryError struct {
	// Milliseconds until then.
	Milliseconds uint32
}

// Error says so.
func (e *RetryError) Error() string { return "it asks to be asked again" }

// Retry asks to be asked again after so many milliseconds.
func Retry(milliseconds uint32) error { return &RetryError{Milliseconds: milliseconds} }

// An UnavailableError says that something the plugin needs is not there now. It means unknown.
type UnavailableError struct {
	// Reason is for the operator.
	Reason string
}

// Error gives the reason.
func (e *UnavailableError) Error() string { return e.Reason }

// Unavailable says that something the plugin needs is not there now, and why.
func Unavailable(reason string) error { return &UnavailableError{Reason: reason} }
