package witgatetest

import (
	"errors"

	"witgate.dev/sdk/ancestry"
	"witgate.dev/sdk/cache"
	"witgate.dev/sdk/cgroups"
	"witgate.dev/sdk/cmdline"
	"witgate.dev/sdk/config"
	"witgate.dev/sdk/environ"
	"witgate.dev/sdk/executable"
	"witgate.dev/sdk/files"
	"witgate.dev/sdk/http"
	"witgate.dev/sdk/log"
	"witgate.dev/sdk/namespaces"
	"witgate.dev/sdk/process"
	"witgate.dev/sdk/systemd"
	"witgate.dev/sdk/witgate"
)

// provide makes this call answer the functions of the SDK, until what it returns is called.
func (c *call) provide() (stop func()) {
	using.Lock()
	process.Provide(ofProcess{c})
	cgroups.Provide(ofCgroups{c})
	namespaces.Provide(ofNamespaces{c})
	executable.Provide(ofExecutable{c})
	ancestry.Provide(ofAncestry{c})
	cmdline.Provide(ofCmdline{c})
	environ.Provide(ofEnviron{c})
	files.Provide(ofFiles{c})
	http.Provide(ofHTTP{c})
	cache.Provide(ofCache{c})
	systemd.Provide(ofSystemd{c})
	config.Provide(ofConfig{c})
	log.Provide(ofLog{c})
	return func() {
		process.Provide(nil)
		cgroups.Provide(nil)
		namespaces.Provide(nil)
		executable.Provide(nil)
		ancestry.Provide(nil)
		cmdline.Provide(nil)
		environ.Provide(nil)
		files.Provide(nil)
		http.Provide(nil)
		cache.Provide(nil)
		systemd.Provide(nil)
		config.Provide(nil)
		log.Provide(nil)
		using.Unlock()
	}
}

// note takes down whether a fact was read, and passes the answer on.
func note[T any](c *call, name string, value T, err error) (T, error) {
	if err == nil {
		c.read[name] = true
		return value, nil
	}
	c.gone = c.gone || errors.Is(err, witgate.ErrGone)
	c.failed[name] = err
	var none T
	return none, err
}

func get[T any](c *call, name string, f *fact[T]) (T, error) {
	value, err := f.get()
	return note(c, name, value, err)
}

// maybe is get for what may not be there.
func maybe[T any](c *call, name string, f *fact[*T]) (value T, found bool, err error) {
	pointer, err := get(c, name, f)
	if pointer == nil {
		return value, false, err
	}
	return *pointer, true, nil
}

type ofProcess struct{ *call }

func (c ofProcess) Credentials() (process.CredentialSet, error) {
	return get(c.call, "process.credentials", c.facts.credentials)
}
func (c ofProcess) Names() (process.NameSet, error) {
	return get(c.call, "process.names", c.facts.names)
}
func (c ofProcess) Label() (string, error) { return get(c.call, "process.label", c.facts.label) }
func (c ofProcess) Privileges() (process.PrivilegeSet, error) {
	return get(c.call, "process.privileges", c.facts.privileges)
}
func (c ofProcess) State() (string, error) { return get(c.call, "process.state", c.facts.state) }
func (c ofProcess) StartTime() (uint64, error) {
	return get(c.call, "process.start-time", c.facts.startTime)
}
func (c ofProcess) Comm() ([]byte, error) { return get(c.call, "process.comm", c.facts.comm) }

type ofCgroups struct{ *call }

func (c ofCgroups) Trusted() ([]cgroups.TrustedEntry, error) {
	return get(c.call, "cgroups.trusted", c.facts.trusted)
}
func (c ofCgroups) Claimed() ([]cgroups.ClaimedEntry, error) {
	return get(c.call, "cgroups.claimed", c.facts.claimed)
}

type ofNamespaces struct{ *call }

func (c ofNamespaces) All() ([]namespaces.Namespace, error) {
	return get(c.call, "namespaces.all", c.facts.namespaces)
}

type ofExecutable struct{ *call }

func (c ofExecutable) Info() (executable.Program, error) {
	return get(c.call, "executable.info", c.facts.executable)
}
func (c ofExecutable) Doubts() ([]string, error) {
	return get(c.call, "executable.doubts", c.facts.doubts)
}
func (c ofExecutable) SHA256() (string, error) {
	return get(c.call, "executable.sha256", c.facts.sha256)
}

type ofAncestry struct{ *call }

func (c ofAncestry) Parents() ([]ancestry.Ancestor, error) {
	recorded, err := get(c.call, "ancestry.parents", c.facts.parents)
	parents := make([]ancestry.Ancestor, 0, len(recorded))
	for _, a := range recorded {
		parents = append(parents, ancestry.Ancestor{
			UID: a.UID, GID: a.GID, Comm: a.Comm, Executable: a.Executable, StartTime: a.StartTime,
		})
	}
	return parents, err
}

type ofCmdline struct{ *call }

func (c ofCmdline) Arguments() ([][]byte, error) {
	recorded, err := get(c.call, "cmdline.arguments", c.facts.arguments)
	arguments := make([][]byte, 0, len(recorded))
	for _, argument := range recorded {
		arguments = append(arguments, argument)
	}
	return arguments, err
}

type ofEnviron struct{ *call }

func (c ofEnviron) Variable(name string) ([]byte, bool, error) {
	return maybe(c.call, "environ.variables", c.facts.variables[name])
}

type ofFiles struct{ *call }

func (c ofFiles) seen(root files.Root, path string) (fact string, seen file) {
	if root == files.Host {
		return "files.host", c.facts.host[path]
	}
	return "files.workload", c.facts.workload[path]
}
func (c ofFiles) Read(root files.Root, path string) ([]byte, bool, error) {
	fact, seen := c.seen(root, path)
	return maybe(c.call, fact, seen.Content)
}
func (c ofFiles) Entries(root files.Root, path string) ([]files.DirectoryEntry, bool, error) {
	fact, seen := c.seen(root, path)
	return maybe(c.call, fact, seen.Entries)
}
func (c ofFiles) Status(root files.Root, path string) (files.FileStatus, bool, error) {
	fact, seen := c.seen(root, path)
	return maybe(c.call, fact, seen.Status)
}

type ofSystemd struct{ *call }

func (c ofSystemd) Unit() (systemd.UnitInfo, bool, error) {
	return maybe(c.call, "systemd.unit", c.facts.unit)
}

type ofConfig struct{ *call }

func (c ofConfig) Settings() string      { return c.settings }
func (c ofConfig) Wants(key string) bool { return c.wants(key) }
func (c ofConfig) RemainingMS() uint32   { return remainingMS }

// remainingMS is what is left of every call here: time stands still in a test.
const remainingMS = 1000

type ofLog struct{ *call }

func (c ofLog) Write(level log.Level, message string) {
	c.t.Helper()
	c.t.Logf("%s: %s", [...]string{"debug", "info", "warn", "error"}[level], message)
}
