package witgatetest

import (
	"encoding/json"
	"errors"
	"fmt"

	"witgate.dev/sdk/cgroups"
	"witgate.dev/sdk/executable"
	"witgate.dev/sdk/files"
	"witgate.dev/sdk/namespaces"
	"witgate.dev/sdk/process"
	"witgate.dev/sdk/systemd"
	"witgate.dev/sdk/witgate"
)

// recorded is a process as it was recorded. A fact that is left out is unsupported.
type recorded struct {
	credentials *fact[process.CredentialSet]
	names       *fact[process.NameSet]
	label       *fact[string]
	privileges  *fact[process.PrivilegeSet]
	state       *fact[string]
	startTime   *fact[uint64]
	comm        *fact[blob]
	trusted     *fact[[]cgroups.TrustedEntry]
	claimed     *fact[[]cgroups.ClaimedEntry]
	namespaces  *fact[[]namespaces.Namespace]
	executable  *fact[executable.Program]
	doubts      *fact[[]string]
	sha256      *fact[string]
	parents     *fact[[]ancestor]
	arguments   *fact[[]blob]
	variables   map[string]*fact[*blob]
	host        map[string]file
	workload    map[string]file
	unit        *fact[*systemd.UnitInfo]
	exchanges   []exchange
}

// fields are its fields as they are named in a file; the first three are for other readers.
func (r *recorded) fields() map[string]any {
	return map[string]any{
		"$schema":             new(string),
		"about":               new(string),
		"challenged":          new(bool),
		"process.credentials": &r.credentials,
		"process.names":       &r.names,
		"process.label":       &r.label,
		"process.privileges":  &r.privileges,
		"process.state":       &r.state,
		"process.start-time":  &r.startTime,
		"process.comm":        &r.comm,
		"cgroups.trusted":     &r.trusted,
		"cgroups.claimed":     &r.claimed,
		"namespaces.all":      &r.namespaces,
		"executable.info":     &r.executable,
		"executable.doubts":   &r.doubts,
		"executable.sha256":   &r.sha256,
		"ancestry.parents":    &r.parents,
		"cmdline.arguments":   &r.arguments,
		"environ.variables":   &r.variables,
		"files.host":          &r.host,
		"files.workload":      &r.workload,
		"systemd.unit":        &r.unit,
		"http.exchanges":      &r.exchanges,
	}
}

// ancestor is an ancestry.Ancestor as it is written.
type ancestor struct {
	UID        uint32 `json:"uid"`
	GID        uint32 `json:"gid"`
	Comm       blob   `json:"comm"`
	Executable string `json:"executable"`
	StartTime  uint64 `json:"start_time"`
}

// file is what was seen under one path. What was not looked at is left out.
type file struct {
	Content *fact[*blob]                   `json:"content"`
	Entries *fact[*[]files.DirectoryEntry] `json:"entries"`
	Status  *fact[*files.FileStatus]       `json:"status"`
}

// fact is a recorded fact: {"ok": value} or {"err": why not}.
type fact[T any] struct {
	value T
	err   error
}

// get gives the value of a fact, which may have been left out.
func (f *fact[T]) get() (value T, err error) {
	if f == nil {
		return value, witgate.ErrUnsupported
	}
	return f.value, f.err
}

// UnmarshalJSON reads it.
func (f *fact[T]) UnmarshalJSON(text []byte) error {
	ok, failed, err := either(text)
	switch {
	case err != nil:
		return err
	case ok != nil:
		return json.Unmarshal(ok, &f.value)
	}
	f.err, err = factError(failed)
	return err
}

// either takes {"ok": …} or {"err": …} apart.
func either(text []byte) (ok, failed json.RawMessage, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, nil, err
	}
	ok, failed = fields["ok"], fields["err"]
	if len(fields) != 1 || (ok == nil) == (failed == nil) {
		return nil, nil, errors.New(`it has to be {"ok": …} or {"err": …}`)
	}
	return ok, failed, nil
}

// variant reads a word, or an object with one word and a text.
func variant(raw json.RawMessage) (word, text string, err error) {
	if json.Unmarshal(raw, &word) == nil {
		return word, "", nil
	}
	var fields map[string]string
	if err := json.Unmarshal(raw, &fields); err != nil {
		return "", "", err
	}
	for word, text := range fields {
		if len(fields) == 1 {
			return word, text, nil
		}
	}
	return "", "", fmt.Errorf("%s is no error", raw)
}

func factError(raw json.RawMessage) (fact, invalid error) {
	word, text, err := variant(raw)
	if err != nil {
		return nil, err
	}
	switch word {
	case "gone":
		return witgate.ErrGone, nil
	case "denied":
		return witgate.ErrDenied, nil
	case "unsupported":
		return witgate.ErrUnsupported, nil
	case "too-large":
		return witgate.ErrTooLarge, nil
	case "io":
		return &witgate.IOError{Text: text}, nil
	}
	return nil, fmt.Errorf("%q is no error of a fact", word)
}

// blob is bytes: a string where they are text, else {"base64": "…"}.
type blob []byte

// UnmarshalJSON reads it.
func (b *blob) UnmarshalJSON(text []byte) error {
	var plain string
	if err := json.Unmarshal(text, &plain); err == nil {
		*b = blob(plain)
		return nil
	}
	var other struct {
		Base64 *[]byte `json:"base64"`
	}
	if err := json.Unmarshal(text, &other); err != nil {
		return err
	}
	if other.Base64 == nil {
		return errors.New(`bytes are a string, or {"base64": "…"}`)
	}
	*b = *other.Base64
	return nil
}
