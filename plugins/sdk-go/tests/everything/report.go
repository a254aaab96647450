package main

import (
	"strconv"
	"strings"

	"witgate.dev/sdk/ancestry"
	"witgate.dev/sdk/cache"
	"witgate.dev/sdk/cgroups"
	"witgate.dev/sdk/cmdline"
	"witgate.dev/sdk/environ"
	"witgate.dev/sdk/executable"
	"witgate.dev/sdk/files"
	"witgate.dev/sdk/http"
	"witgate.dev/sdk/namespaces"
	"witgate.dev/sdk/process"
	"witgate.dev/sdk/systemd"
	"witgate.dev/sdk/witgate"
)

// report puts every field of every answer into selectors.
type report struct{ witgate.Report }

// say reports the fields of an answer, or that it is not there.
func (r *report) say(key, name string, err error, fields ...string) {
	if err != nil {
		r.AddUnknown(key, err)
		return
	}
	r.AddNamed(key, name, strings.Join(fields, " "))
}

func number[N uint8 | uint16 | uint32 | uint64](n N) string { return strconv.FormatUint(uint64(n), 10) }

func (r *report) process() {
	credentials, err := process.Credentials()
	ids := []string{number(credentials.UID), number(credentials.GID)}
	for _, group := range credentials.Groups {
		ids = append(ids, number(group))
	}
	r.say("credentials", "all", err, ids...)
	names, err := process.Names()
	r.say("names", "all", err, append([]string{names.User, names.Group}, names.Groups...)...)
	label, err := process.Label()
	r.say("label", "all", err, label)
	p, err := process.Privileges()
	r.say("privileges", "all", err, number(p.Seccomp), strconv.FormatBool(p.NoNewPrivs), number(p.Inheritable),
		number(p.Permitted), number(p.Effective), number(p.Bounding), number(p.Ambient))
	state, err := process.State()
	r.say("state", "all", err, state)
	start, err := process.StartTime()
	r.say("start-time", "all", err, number(start))
	comm, err := process.Comm()
	r.say("comm", "all", err, strconv.Quote(string(comm)))
}

func (r *report) cgroups() {
	trusted, err := cgroups.Trusted()
	r.say("trusted", "count", err, strconv.Itoa(len(trusted)))
	for _, entry := range trusted {
		r.say("trusted", number(entry.Hierarchy), nil, strings.Join(entry.Controllers, ","), entry.Prefix,
			strconv.FormatBool(entry.Delegated), strconv.FormatBool(entry.Mounted))
	}
	claimed, err := cgroups.Claimed()
	r.say("claimed", "count", err, strconv.Itoa(len(claimed)))
	for _, entry := range claimed {
		r.say("claimed", number(entry.Hierarchy), nil, strings.Join(entry.Controllers, ","), entry.Path)
	}
}

func (r *report) namespaces() {
	all, err := namespaces.All()
	r.say("namespace", "count", err, strconv.Itoa(len(all)))
	for _, n := range all {
		r.say("namespace", n.Kind, nil, number(n.Inode), strconv.FormatBool(n.Host))
	}
}

func (r *report) executable() {
	program, err := executable.Info()
	r.say("executable", "all", err, program.Path, number(program.Device), number(program.Inode), number(program.Size),
		strconv.FormatBool(program.Deleted), strconv.FormatBool(program.SameOnHost))
	doubts, err := executable.Doubts()
	r.say("doubt", "all", err, doubts...)
	digest, err := executable.SHA256()
	r.say("sha256", "all", err, digest)
}

func (r *report) ancestry() {
	parents, err := ancestry.Parents()
	r.say("parent", "count", err, strconv.Itoa(len(parents)))
	for i, p := range parents {
		r.say("parent", strconv.Itoa(i), nil, number(p.UID), number(p.GID), strconv.Quote(string(p.Comm)),
			p.Executable, number(p.StartTime))
	}
}

func (r *report) cmdline() {
	arguments, err := cmdline.Arguments()
	r.say("argument", "count", err, strconv.Itoa(len(arguments)))
	for i, argument := range arguments {
		r.say("argument", strconv.Itoa(i), nil, strconv.Quote(string(argument)))
	}
}

func (r *report) environ() {
	for _, name := range []string{"HOME", "NONE"} {
		value, found, err := environ.Variable(name)
		r.say("variable", name, err, strconv.FormatBool(found), strconv.Quote(string(value)))
	}
}

func (r *report) files() {
	content, found, err := files.Read(files.Host, "/etc/machine-id")
	r.say("host-file", "content", err, strconv.FormatBool(found), strconv.Quote(string(content)))
	content, found, err = files.Read(files.Workload, "/etc/hostname")
	r.say("workload-file", "content", err, strconv.FormatBool(found), strconv.Quote(string(content)))
	entries, found, err := files.Entries(files.Workload, "/etc")
	r.say("workload-file", "entries", err, strconv.FormatBool(found), strconv.Itoa(len(entries)))
	for _, entry := range entries {
		r.say("workload-file", entry.Name, nil, entry.Kind)
	}
	s, found, err := files.Status(files.Workload, "/etc/hostname")
	r.say("workload-file", "status", err, strconv.FormatBool(found), s.Kind, number(s.Size), number(s.Mode),
		number(s.UID), number(s.GID), strconv.FormatInt(s.Modified, 10))
}

func (r *report) http() {
	answer, err := http.Send("docker", http.Request{
		Method: "POST", Path: "/v1/find?all=1", Body: []byte("{}"),
		Headers: []http.Header{{Name: "content-type", Value: "application/json"}},
	})
	headers := make([]string, 0, len(answer.Headers))
	for _, header := range answer.Headers {
		headers = append(headers, header.Name+"="+header.Value)
	}
	r.say("response", "all", err, number(answer.Status), strings.Join(headers, ","), strconv.Quote(string(answer.Body)))
	if err != nil {
		return
	}
	for _, path := range []string{"/timeout", "/too-large", "/unreachable", "/refused", "/malformed"} {
		if _, err := http.Get("docker", path); err != nil {
			r.say("response", path, nil, err.Error())
		}
	}
}

func (r *report) cache() {
	_, found, err := cache.Get(cache.Process, "k")
	r.say("cached", "before", err, strconv.FormatBool(found))
	err = cache.Put(cache.Process, "k", []byte("v"), 1000)
	r.say("cached", "put", err, "done")
	hit, found, err := cache.Get(cache.Process, "k")
	r.say("cached", "after", err, strconv.FormatBool(found), string(hit.Value))
	err = cache.Put(cache.Process, "k", make([]byte, 64<<10+1), 1000)
	r.say("cached", "large", nil, strconv.FormatBool(err == cache.ErrTooLarge))
}

func (r *report) systemd() {
	unit, found, err := systemd.Unit()
	r.say("unit", "all", err, strconv.FormatBool(found), unit.ID, unit.FragmentPath, unit.Slice, unit.ActiveState,
		unit.SubState, unit.InvocationID, unit.User)
}
