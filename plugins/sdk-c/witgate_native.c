/*
 * Natively, facts are those of a fixture. Its records are read by tables that say what each field
 * is and where it goes.
 */
#include "witgate_native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

witgate_call witgate_now;

/* ---- Memory that lives until the call ends ---- */

typedef union block {
  union block *before;
  max_align_t alignment;
} block;

static block *blocks;

void *witgate_allocate(size_t size) {
  block *made = calloc(1, sizeof(block) + (size > 0 ? size : 1));
  if (made == NULL) abort();
  made->before = blocks;
  blocks = made;
  return made + 1;
}

void witgate_free_everything(void) {
  while (blocks != NULL) {
    block *before = blocks->before;
    free(blocks);
    blocks = before;
  }
}

/* ---- Records ---- */

typedef struct record record;

/* Each field is read as its kind says. */
typedef struct {
  const char *name;
  size_t offset;
  enum { U8, U32, U64, S64, BOOL, TEXT, BYTES, OPTIONAL, LIST } kind;
  const record *items; /* of LIST */
} field;

struct record {
  size_t size;
  const field *fields;
  size_t count;
};

#define RECORD(name, type, ...)                            \
  static const field name##_fields[] = {__VA_ARGS__};      \
  static const record name = {sizeof(type), name##_fields, \
                              sizeof name##_fields / sizeof *name##_fields}

/* An item that is no record is one field without a name. */
RECORD(U32_ITEM, uint32_t, {NULL, 0, U32, NULL});
RECORD(TEXT_ITEM, witgate_bytes, {NULL, 0, TEXT, NULL});
RECORD(OPTIONAL_ITEM, witgate_optional, {NULL, 0, OPTIONAL, NULL});

#define AT(type, member, kind) {#member, offsetof(type, member), kind, NULL}
#define LIST_AT(type, member, items) {#member, offsetof(type, member), LIST, &items}

RECORD(CREDENTIALS, witgate_credentials, AT(witgate_credentials, uid, U32),
       AT(witgate_credentials, gid, U32), LIST_AT(witgate_credentials, groups, U32_ITEM));
RECORD(NAMES, witgate_names, AT(witgate_names, user, OPTIONAL), AT(witgate_names, group, OPTIONAL),
       LIST_AT(witgate_names, groups, OPTIONAL_ITEM));
RECORD(PRIVILEGES, witgate_privileges, AT(witgate_privileges, seccomp, U8),
       AT(witgate_privileges, no_new_privs, BOOL), AT(witgate_privileges, inheritable, U64),
       AT(witgate_privileges, permitted, U64), AT(witgate_privileges, effective, U64),
       AT(witgate_privileges, bounding, U64), AT(witgate_privileges, ambient, U64));
RECORD(TRUSTED, witgate_trusted_cgroup, AT(witgate_trusted_cgroup, hierarchy, U32),
       LIST_AT(witgate_trusted_cgroup, controllers, TEXT_ITEM),
       AT(witgate_trusted_cgroup, prefix, TEXT), AT(witgate_trusted_cgroup, delegated, BOOL),
       AT(witgate_trusted_cgroup, mounted, BOOL));
RECORD(CLAIMED, witgate_claimed_cgroup, AT(witgate_claimed_cgroup, hierarchy, U32),
       LIST_AT(witgate_claimed_cgroup, controllers, TEXT_ITEM),
       AT(witgate_claimed_cgroup, path, TEXT));
RECORD(NAMESPACE, witgate_namespace, AT(witgate_namespace, kind, TEXT),
       AT(witgate_namespace, inode, U64), AT(witgate_namespace, host, BOOL));
RECORD(PROGRAM, witgate_program, AT(witgate_program, path, TEXT), AT(witgate_program, device, U64),
       AT(witgate_program, inode, U64), AT(witgate_program, size, U64),
       AT(witgate_program, deleted, BOOL), AT(witgate_program, same_on_host, BOOL));
RECORD(ANCESTOR, witgate_ancestor, AT(witgate_ancestor, uid, U32), AT(witgate_ancestor, gid, U32),
       AT(witgate_ancestor, comm, BYTES), AT(witgate_ancestor, executable, OPTIONAL),
       AT(witgate_ancestor, start_time, U64));
RECORD(DIRECTORY_ENTRY, witgate_directory_entry, AT(witgate_directory_entry, name, TEXT),
       AT(witgate_directory_entry, kind, TEXT));
RECORD(FILE_STATUS, witgate_file_status, AT(witgate_file_status, kind, TEXT),
       AT(witgate_file_status, size, U64), AT(witgate_file_status, mode, U32),
       AT(witgate_file_status, uid, U32), AT(witgate_file_status, gid, U32),
       AT(witgate_file_status, modified, S64));
RECORD(UNIT, witgate_unit, AT(witgate_unit, id, TEXT), AT(witgate_unit, fragment_path, OPTIONAL),
       AT(witgate_unit, slice, OPTIONAL), AT(witgate_unit, active_state, TEXT),
       AT(witgate_unit, sub_state, TEXT), AT(witgate_unit, invocation_id, OPTIONAL),
       AT(witgate_unit, user, OPTIONAL));

/* What a fact is, if it is no record. */
RECORD(U64_FACT, uint64_t, {NULL, 0, U64, NULL});
RECORD(TEXT_FACT, witgate_bytes, {NULL, 0, TEXT, NULL});
RECORD(BYTES_FACT, witgate_bytes, {NULL, 0, BYTES, NULL});
RECORD(TEXT_LIST, witgate_texts, {NULL, 0, LIST, &TEXT_FACT});
RECORD(BYTES_LIST, witgate_texts, {NULL, 0, LIST, &BYTES_FACT});
RECORD(TRUSTED_LIST, witgate_trusted_cgroups, {NULL, 0, LIST, &TRUSTED});
RECORD(CLAIMED_LIST, witgate_claimed_cgroups, {NULL, 0, LIST, &CLAIMED});
RECORD(NAMESPACE_LIST, witgate_namespaces, {NULL, 0, LIST, &NAMESPACE});
RECORD(ANCESTOR_LIST, witgate_ancestors, {NULL, 0, LIST, &ANCESTOR});
RECORD(ENTRY_LIST, witgate_directory_entries, {NULL, 0, LIST, &DIRECTORY_ENTRY});

/* Every list is laid out as this one. */
typedef struct {
  const void *items;
  size_t count;
} list;

static bool fill(const record *of, const witgate_json *value, char *found);

static bool fill_list(const record *items, const witgate_json *value, void *found) {
  if (value->kind != JSON_LIST) return false;
  char *room = witgate_allocate(value->count * items->size);
  for (size_t i = 0; i < value->count; i++) {
    if (!fill(items, &value->items[i], room + i * items->size)) return false;
  }
  memcpy(found, &(list){room, value->count}, sizeof(list));
  return true;
}

static bool fill_number(const field *as, const witgate_json *value, void *found) {
  uint64_t number;
  switch (as->kind) {
    case U8:
      return witgate_json_unsigned(value, UINT8_MAX, &number) &&
             (*(uint8_t *)found = (uint8_t)number, true);
    case U32:
      return witgate_json_unsigned(value, UINT32_MAX, &number) &&
             (*(uint32_t *)found = (uint32_t)number, true);
    case U64: return witgate_json_unsigned(value, UINT64_MAX, found);
    default: return witgate_json_signed(value, found);
  }
}

static bool fill_field(const field *as, const witgate_json *value, void *found) {
  switch (as->kind) {
    case BOOL: *(bool *)found = value->truth; return value->kind == JSON_BOOL;
    case TEXT: *(witgate_bytes *)found = value->text; return value->kind == JSON_TEXT;
    case BYTES: return witgate_json_bytes(value, found);
    case OPTIONAL:
      if (value->kind == JSON_NULL) return true;
      *(witgate_optional *)found = (witgate_optional){true, value->text};
      return value->kind == JSON_TEXT;
    case LIST: return fill_list(as->items, value, found);
    default: return fill_number(as, value, found);
  }
}

/* Every field has to be there, except those that are optional. */
static bool fill(const record *of, const witgate_json *value, char *found) {
  for (size_t i = 0; i < of->count; i++) {
    const field *as = &of->fields[i];
    const witgate_json *member = as->name == NULL ? value : witgate_json_member(value, as->name);
    if (member == NULL && as->kind == OPTIONAL) continue;
    if (member == NULL || !fill_field(as, member, found + as->offset)) return false;
  }
  return true;
}

/* ---- Facts ---- */

/* What is wrong with the fixture itself ends the test: it is nothing about a process. */
static void unusable(const char *fact) {
  fprintf(stderr, "%s: %s is not written as this fact is\n", witgate_now.file, fact);
  exit(1);
}

static witgate_status error_of(const char *name, const witgate_json *error) {
  static const struct {
    const char *word;
    witgate_status status;
  } words[] = {{"gone", WITGATE_GONE},
               {"denied", WITGATE_DENIED},
               {"unsupported", WITGATE_UNSUPPORTED},
               {"too-large", WITGATE_TOO_LARGE}};
  const witgate_json *io = witgate_json_member(error, "io");
  if (io != NULL && io->kind == JSON_TEXT) return witgate_io(io->text);
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (error->kind != JSON_TEXT || !witgate_equals(error->text, words[i].word)) continue;
    if (words[i].status == WITGATE_GONE) witgate_now.gone = true;
    return words[i].status;
  }
  unusable(name);
  return WITGATE_UNSUPPORTED;
}

/* A fact as it is recorded: {"ok": …}, {"err": …}, or left out. */
static witgate_status read_fact(const char *name, const witgate_json *fact, const record *of,
                                void *found) {
  if (fact == NULL || fact->kind == JSON_NULL) return WITGATE_UNSUPPORTED;
  const witgate_json *error = witgate_json_member(fact, "err");
  if (error != NULL) return error_of(name, error);
  const witgate_json *ok = witgate_json_member(fact, "ok");
  if (ok == NULL) unusable(name);
  if (ok->kind == JSON_NULL) return WITGATE_ABSENT;
  memset(found, 0, of->size);
  if (!fill(of, ok, found)) unusable(name);
  return WITGATE_OK;
}

#define FACT(function, name, type, of)                                                \
  witgate_status witgate_##function(type *found) {                                    \
    return read_fact(name, witgate_json_member(witgate_now.facts, name), &of, found); \
  }

FACT(process_credentials, "process.credentials", witgate_credentials, CREDENTIALS)
FACT(process_names, "process.names", witgate_names, NAMES)
FACT(process_label, "process.label", witgate_bytes, TEXT_FACT)
FACT(process_privileges, "process.privileges", witgate_privileges, PRIVILEGES)
FACT(process_state, "process.state", witgate_bytes, TEXT_FACT)
FACT(process_start_time, "process.start-time", uint64_t, U64_FACT)
FACT(process_comm, "process.comm", witgate_bytes, BYTES_FACT)
FACT(cgroups_trusted, "cgroups.trusted", witgate_trusted_cgroups, TRUSTED_LIST)
FACT(cgroups_claimed, "cgroups.claimed", witgate_claimed_cgroups, CLAIMED_LIST)
FACT(namespaces_all, "namespaces.all", witgate_namespaces, NAMESPACE_LIST)
FACT(executable_info, "executable.info", witgate_program, PROGRAM)
FACT(executable_doubts, "executable.doubts", witgate_texts, TEXT_LIST)
FACT(executable_sha256, "executable.sha256", witgate_bytes, TEXT_FACT)
FACT(ancestry_parents, "ancestry.parents", witgate_ancestors, ANCESTOR_LIST)
FACT(cmdline_arguments, "cmdline.arguments", witgate_texts, BYTES_LIST)
FACT(systemd_unit, "systemd.unit", witgate_unit, UNIT)

witgate_status witgate_environ_variable(const char *name, witgate_bytes *found) {
  const witgate_json *variables = witgate_json_member(witgate_now.facts, "environ.variables");
  const witgate_json *fact = witgate_json_member(variables, name);
  return read_fact("environ.variables", fact, &BYTES_FACT, found);
}

static witgate_status read_file(witgate_root root, const char *path, const char *what,
                                const record *of, void *found) {
  const char *name = root == WITGATE_HOST ? "files.host" : "files.workload";
  const witgate_json *files = witgate_json_member(witgate_now.facts, name);
  const witgate_json *file = witgate_json_member(files, path);
  return read_fact(name, witgate_json_member(file, what), of, found);
}

witgate_status witgate_files_read(witgate_root root, const char *path, witgate_bytes *found) {
  return read_file(root, path, "content", &BYTES_FACT, found);
}

witgate_status witgate_files_entries(witgate_root root, const char *path,
                                     witgate_directory_entries *found) {
  return read_file(root, path, "entries", &ENTRY_LIST, found);
}

witgate_status witgate_files_status(witgate_root root, const char *path,
                                    witgate_file_status *found) {
  return read_file(root, path, "status", &FILE_STATUS, found);
}

/* ---- Endpoints ---- */

static bool is_text(const witgate_json *value, const char *text) {
  return value != NULL && value->kind == JSON_TEXT && witgate_equals(value->text, text);
}

static bool is_same(const witgate_json *exchange, const char *endpoint, witgate_request asked) {
  const witgate_json *request = witgate_json_member(exchange, "request");
  const witgate_json *written = witgate_json_member(request, "body");
  witgate_bytes body = {NULL, 0};
  if (written != NULL && !witgate_json_bytes(written, &body)) unusable("http.exchanges");
  return is_text(witgate_json_member(exchange, "endpoint"), endpoint) &&
         is_text(witgate_json_member(request, "method"),
                 asked.method == NULL ? "GET" : asked.method) &&
         is_text(witgate_json_member(request, "path"), asked.path) &&
         body.length == asked.body.length &&
         (body.length == 0 || memcmp(body.data, asked.body.data, body.length) == 0);
}

/* In words, as the component gives them. */
static const char *no_response(const witgate_json *error) {
  if (is_text(error, "timeout")) return "no whole response in time";
  if (is_text(error, "too-large")) return "the response is larger than the limit";
  if (error->kind == JSON_OBJECT && error->count == 1 && error->items->kind == JSON_TEXT) {
    return witgate_string(error->items->text);
  }
  unusable("http.exchanges");
  return NULL;
}

static const char *response_of(const witgate_json *outcome, witgate_response *response) {
  const witgate_json *error = witgate_json_member(outcome, "err");
  if (error != NULL) return no_response(error);
  const witgate_json *ok = witgate_json_member(outcome, "ok");
  const witgate_json *status = witgate_json_member(ok, "status");
  const witgate_json *body = witgate_json_member(ok, "body");
  const witgate_json *headers = witgate_json_member(ok, "headers");
  uint64_t code;
  memset(response, 0, sizeof *response);
  bool good = status != NULL && witgate_json_unsigned(status, UINT16_MAX, &code) &&
              (body == NULL || witgate_json_bytes(body, &response->body));
  size_t count = headers == NULL ? 0 : headers->count;
  witgate_header *fields = witgate_allocate(count * sizeof *fields);
  for (size_t i = 0; good && i < count; i++) {
    const witgate_json *pair = &headers->items[i];
    good = pair->kind == JSON_LIST && pair->count == 2;
    if (good) fields[i] = (witgate_header){pair->items[0].text, pair->items[1].text};
  }
  if (!good) unusable("http.exchanges");
  response->status = (uint16_t)code;
  response->headers.items = fields;
  response->headers.count = count;
  return NULL;
}

const char *witgate_http_send(const char *endpoint, witgate_request asked,
                              witgate_response *response) {
  const witgate_json *exchanges = witgate_json_member(witgate_now.facts, "http.exchanges");
  for (size_t i = 0; exchanges != NULL && i < exchanges->count; i++) {
    const witgate_json *exchange = &exchanges->items[i];
    if (is_same(exchange, endpoint, asked)) {
      return response_of(witgate_json_member(exchange, "outcome"), response);
    }
  }
  return "the fixture has no answer of this endpoint to this request";
}

/* ---- Cache, settings, log ---- */

enum { MAX_CACHED_KEY = 256, MAX_CACHED_VALUE = 64 << 10 };

bool witgate_cache_get(witgate_scope scope, const char *key, witgate_bytes *found) {
  for (size_t i = witgate_now.cached_count; i-- > 0;) {
    const witgate_cached *cached = &witgate_now.cached[i];
    if (cached->scope == scope && strcmp(cached->key, key) == 0) {
      *found = cached->value;
      return true;
    }
  }
  return false;
}

const char *witgate_cache_put(witgate_scope scope, const char *key, witgate_bytes value,
                              uint32_t milliseconds) {
  (void)milliseconds;
  if (strlen(key) > MAX_CACHED_KEY || value.length > MAX_CACHED_VALUE) {
    return "it is larger than the limit";
  }
  WITGATE_APPEND(witgate_now.cached, witgate_now.cached_count) = (witgate_cached){
      scope, witgate_string(witgate_text(key)), {witgate_string(value), value.length}};
  return NULL;
}

witgate_bytes witgate_settings(void) { return witgate_now.settings; }

bool witgate_wants(const char *key) {
  const witgate_json *wanted = witgate_now.wanted;
  for (size_t i = 0; wanted != NULL && i < wanted->count; i++) {
    if (is_text(&wanted->items[i], key)) return true;
  }
  return wanted == NULL;
}

uint32_t witgate_remaining_ms(void) { return 1000; }

void witgate_log(witgate_level level, const char *message) {
  static const char *const words[] = {"debug", "info", "warn", "error"};
  size_t length = strlen(message) + 16;
  char *line = witgate_allocate(length);
  snprintf(line, length, "%s: %s", words[level], message);
  WITGATE_APPEND(witgate_now.log, witgate_now.log_count) = line;
}
