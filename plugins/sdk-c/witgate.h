/*
 * Write a witgate attestor in C.
 *
 * An attestor looks at the one process of a call, through facts that the daemon hands out, and
 * reports selectors. It defines `witgate_describe` and `witgate_attest`, and `witgate_validate` if
 * it has settings:
 *
 *     void witgate_describe(witgate_manifest *manifest) {
 *       static const char *const facts[] = {"process.credentials", NULL};
 *       witgate_describe_key(manifest, (witgate_key){.key = "uid",
 *                                                    .meaning = "effective user id",
 *                                                    .example = "1000",
 *                                                    .derived_from = facts,
 *                                                    .stable = true,
 *                                                    .single = true});
 *     }
 *
 *     witgate_outcome witgate_attest(witgate_report *report) {
 *       witgate_credentials found;
 *       witgate_status status = witgate_process_credentials(&found);
 *       if (status != WITGATE_OK) return witgate_failed(report, witgate_reason(status));
 *       witgate_report_number(report, "uid", found.uid);
 *       return WITGATE_REPORTED;
 *     }
 *
 * Nothing needs to be freed: what a function of this header gives lives until the call ends, and
 * every call runs in a fresh instance. An interface that `plugin.toml` does not ask for is not
 * there: its functions are missing when the component is linked.
 *
 * `make test` compiles the same sources natively and answers the facts from fixtures.
 */
#ifndef WITGATE_H
#define WITGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Bytes and text ---- */

/* Bytes with their length; nothing stands behind them. Text is UTF-8. */
typedef struct {
  const char *data;
  size_t length;
} witgate_bytes;

/* Text that may not be there. */
typedef struct {
  bool present;
  witgate_bytes value;
} witgate_optional;

/* The bytes of a string that ends with NUL. */
witgate_bytes witgate_text(const char *string);

/* Whether bytes are the same as a string. */
bool witgate_equals(witgate_bytes bytes, const char *string);

/* Whether bytes are UTF-8. */
bool witgate_is_utf8(witgate_bytes bytes);

/* Zeroed memory that lives until the call ends; never NULL. */
void *witgate_allocate(size_t size);

/* ---- What the plugin can report ---- */

typedef struct witgate_manifest witgate_manifest;

/* One selector key that the plugin may report. */
typedef struct {
  const char *key;                 /* a lower-case word: "uid" */
  const char *meaning;             /* what it means, in a sentence */
  const char *example;             /* a value as an example */
  const char *const *derived_from; /* facts such as "process.credentials", and NULL behind them */
  bool named;                      /* its selectors carry a name */
  bool stable;                     /* the value does not change while the process lives */
  bool single;                     /* there is at most one selector of this key (and name) */
  bool secret;                     /* the value is never shown */
} witgate_key;

/* Adds a key. */
void witgate_describe_key(witgate_manifest *manifest, witgate_key key);

/* Sets the JSON schema (draft 2020-12) of the settings. */
void witgate_describe_settings(witgate_manifest *manifest, const char *schema);

/* ---- What it reports ---- */

typedef struct witgate_report witgate_report;

/* How a call ends. */
typedef enum {
  WITGATE_REPORTED,       /* what stands in the report */
  WITGATE_NOT_APPLICABLE, /* not this plugin's kind of process: none of its keys holds */
  WITGATE_RETRY,          /* as witgate_retry says */
  WITGATE_UNAVAILABLE,    /* as witgate_unavailable says */
  WITGATE_FAILED          /* as witgate_failed says */
} witgate_outcome;

/*
 * Adds a selector; the daemon puts the plugin's configured name in front.
 *
 * The daemon refuses a whole report over one value that is empty, has more than 4096 bytes, is not
 * UTF-8 or holds a control character or a bidirectional override. So a value like that makes the
 * key unknown instead.
 */
void witgate_report_value(witgate_report *report, const char *key, witgate_bytes value);

/* The same for a string that ends with NUL, and for a number. */
void witgate_report_text(witgate_report *report, const char *key, const char *value);
void witgate_report_number(witgate_report *report, const char *key, uint64_t value);

/* Adds a selector of a key with names, such as "label". */
void witgate_report_named(witgate_report *report, const char *key, witgate_bytes name,
                          witgate_bytes value);

/* Says that nothing can be said about a key. */
void witgate_report_unknown(witgate_report *report, const char *key, const char *reason);

/* Ends the call: ask again after so many milliseconds. */
witgate_outcome witgate_retry(witgate_report *report, uint32_t milliseconds);

/* Ends the call: something the plugin needs is not there now. */
witgate_outcome witgate_unavailable(witgate_report *report, const char *reason);

/* Ends the call: the plugin cannot tell. */
witgate_outcome witgate_failed(witgate_report *report, const char *reason);

/* ---- What the author writes ---- */

/* Says what the plugin can report; the same every time. May call nothing but witgate_log. */
void witgate_describe(witgate_manifest *manifest);

/* Checks settings, a JSON object, before they are used: NULL, or what is wrong with them. May call
 * nothing but witgate_log. Without this function a plugin has no settings. */
const char *witgate_validate(witgate_bytes settings);

/* Looks at the process of this call. */
witgate_outcome witgate_attest(witgate_report *report);

/* ---- Facts ---- */

/* Whether a fact is there. Only then is what it was asked for set. */
typedef enum {
  WITGATE_OK,
  WITGATE_ABSENT,      /* there is no such file, variable or unit */
  WITGATE_GONE,        /* the process has exited; the request ends */
  WITGATE_DENIED,      /* the kernel does not let the daemon read it */
  WITGATE_UNSUPPORTED, /* this kernel, host or configuration does not have it */
  WITGATE_TOO_LARGE,   /* over the limit */
  WITGATE_IO           /* anything else, which witgate_reason says */
} witgate_status;

/* A status in words, for the operator; of WITGATE_IO those of the last fact that ended so. */
const char *witgate_reason(witgate_status status);

/* process, always granted */

typedef struct {
  uint32_t uid;
  uint32_t gid;
  struct {
    const uint32_t *items;
    size_t count;
  } groups;
} witgate_credentials;

typedef struct {
  witgate_optional user;
  witgate_optional group;
  struct {
    const witgate_optional *items;
    size_t count;
  } groups;
} witgate_names;

typedef struct {
  uint8_t seccomp; /* 0 none, 1 strict, 2 filter */
  bool no_new_privs;
  uint64_t inheritable;
  uint64_t permitted;
  uint64_t effective;
  uint64_t bounding;
  uint64_t ambient;
} witgate_privileges;

witgate_status witgate_process_credentials(witgate_credentials *found);
witgate_status witgate_process_names(witgate_names *found);
witgate_status witgate_process_label(witgate_bytes *found);
witgate_status witgate_process_privileges(witgate_privileges *found);
witgate_status witgate_process_state(witgate_bytes *found);
witgate_status witgate_process_start_time(uint64_t *found);
witgate_status witgate_process_comm(witgate_bytes *found);

/* cgroups, always granted */

typedef struct {
  const witgate_bytes *items;
  size_t count;
} witgate_texts;

typedef struct {
  uint32_t hierarchy;
  witgate_texts controllers;
  witgate_bytes prefix;
  bool delegated;
  bool mounted;
} witgate_trusted_cgroup;

typedef struct {
  const witgate_trusted_cgroup *items;
  size_t count;
} witgate_trusted_cgroups;

typedef struct {
  uint32_t hierarchy;
  witgate_texts controllers;
  witgate_bytes path;
} witgate_claimed_cgroup;

typedef struct {
  const witgate_claimed_cgroup *items;
  size_t count;
} witgate_claimed_cgroups;

witgate_status witgate_cgroups_trusted(witgate_trusted_cgroups *found);
witgate_status witgate_cgroups_claimed(witgate_claimed_cgroups *found);

/* namespaces, always granted */

typedef struct {
  witgate_bytes kind;
  uint64_t inode;
  bool host;
} witgate_namespace;

typedef struct {
  const witgate_namespace *items;
  size_t count;
} witgate_namespaces;

witgate_status witgate_namespaces_all(witgate_namespaces *found);

/* executable */

typedef struct {
  witgate_bytes path;
  uint64_t device;
  uint64_t inode;
  uint64_t size;
  bool deleted;
  bool same_on_host;
} witgate_program;

witgate_status witgate_executable_info(witgate_program *found);

/*
 * What speaks against taking the process for the program that the link names, by name. None is no
 * proof. Words may be added; these exist:
 *
 *   deleted         the file has no name any more
 *   exe_not_mapped  nothing of the file is mapped, so the link was set to it
 *   foreign_mount   the path leads to another file, or to none, in the daemon's mount namespace
 *   memfd           the file is memory that never had a name
 *   nested_userns   the process lives in a user namespace other than the daemon's
 *   traced          another process traces it and can make it do anything
 *
 * With exe_not_mapped and nested_userns, where the link may be a forgery, info and sha256 are
 * withheld.
 */
witgate_status witgate_executable_doubts(witgate_texts *found);

witgate_status witgate_executable_sha256(witgate_bytes *found);

/* ancestry: nearest first */

typedef struct {
  uint32_t uid;
  uint32_t gid;
  witgate_bytes comm;
  witgate_optional executable;
  uint64_t start_time;
} witgate_ancestor;

typedef struct {
  const witgate_ancestor *items;
  size_t count;
} witgate_ancestors;

witgate_status witgate_ancestry_parents(witgate_ancestors *found);

/* cmdline, any bytes */

witgate_status witgate_cmdline_arguments(witgate_texts *found);

/* environ: one variable, any bytes */

witgate_status witgate_environ_variable(const char *name, witgate_bytes *found);

/* files */

typedef enum { WITGATE_HOST, WITGATE_WORKLOAD } witgate_root;

typedef struct {
  witgate_bytes name;
  witgate_bytes kind; /* file, directory, symlink or other */
} witgate_directory_entry;

typedef struct {
  const witgate_directory_entry *items;
  size_t count;
} witgate_directory_entries;

typedef struct {
  witgate_bytes kind; /* file, directory or other */
  uint64_t size;
  uint32_t mode;
  uint32_t uid;
  uint32_t gid;
  int64_t modified; /* seconds since 1970 */
} witgate_file_status;

witgate_status witgate_files_read(witgate_root root, const char *path, witgate_bytes *found);
witgate_status witgate_files_entries(witgate_root root, const char *path,
                                     witgate_directory_entries *found);
witgate_status witgate_files_status(witgate_root root, const char *path,
                                    witgate_file_status *found);

/* systemd */

typedef struct {
  witgate_bytes id;
  witgate_optional fragment_path;
  witgate_optional slice;
  witgate_bytes active_state;
  witgate_bytes sub_state;
  witgate_optional invocation_id;
  witgate_optional user;
} witgate_unit;

witgate_status witgate_systemd_unit(witgate_unit *found);

/* http */

typedef struct {
  witgate_bytes name;
  witgate_bytes value;
} witgate_header;

typedef struct {
  const char *method; /* GET, if NULL */
  const char *path;   /* path and query, from / on */
  const witgate_header *headers;
  size_t header_count;
  witgate_bytes body;
} witgate_request;

typedef struct {
  uint16_t status;
  struct {
    const witgate_header *items;
    size_t count;
  } headers;
  witgate_bytes body;
} witgate_response;

/* Asks an endpoint that the operator named: NULL, or why there is no response. */
const char *witgate_http_send(const char *endpoint, witgate_request request,
                              witgate_response *response);

/* cache */

typedef enum { WITGATE_PER_PROCESS, WITGATE_PER_CGROUP, WITGATE_PER_PLUGIN } witgate_scope;

/* Whether something was kept under this key. */
bool witgate_cache_get(witgate_scope scope, const char *key, witgate_bytes *found);

/* Keeps something for so long: NULL, or why it cannot be kept. */
const char *witgate_cache_put(witgate_scope scope, const char *key, witgate_bytes value,
                              uint32_t milliseconds);

/* ---- What the operator wants, always granted ---- */

/* The plugin's own settings, a JSON object. */
witgate_bytes witgate_settings(void);

/* Whether anybody wants this key in this call. Work for one that nobody wants may be skipped. */
bool witgate_wants(const char *key);

/* Milliseconds left of this call. */
uint32_t witgate_remaining_ms(void);

typedef enum { WITGATE_DEBUG, WITGATE_INFO, WITGATE_WARN, WITGATE_ERROR } witgate_level;

/* Writes a line for the operator. */
void witgate_log(witgate_level level, const char *message);

/* ---- Natively ---- */

/*
 * Calls `witgate_attest` about every fixture of a folder and compares what comes out with the
 * expected report beside it: `debian.json` with `debian.expected.json`. Writes what differs to
 * standard error, and gives the number of fixtures that differ; one, if there is no fixture.
 */
int witgate_check_fixtures(const char *folder);

#endif
