/* All fixtures of a folder as one native test. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "witgate_native.h"

/* A recording of one process has a few KiB. */
enum { MAX_FILE = 4 << 20, MAX_PATH = 4096 };

/* ---- Files ---- */

static bool ends_with(const char *name, const char *ending) {
  size_t length = strlen(name), tail = strlen(ending);
  return length > tail && strcmp(name + length - tail, ending) == 0;
}

static int is_fixture(const struct dirent *entry) {
  return ends_with(entry->d_name, ".json") && !ends_with(entry->d_name, ".expected.json");
}

/* The whole file; false, and a line to standard error, if it cannot be read. */
static bool read_whole(const char *path, witgate_bytes *text) {
  FILE *file = fopen(path, "rb");
  char *room = witgate_allocate(MAX_FILE + 1);
  size_t length = file == NULL ? 0 : fread(room, 1, MAX_FILE + 1, file);
  bool read = file != NULL && !ferror(file) && length <= MAX_FILE;
  if (file == NULL || ferror(file)) {
    perror(path);
  } else if (!read) {
    fprintf(stderr, "%s: over the limit of %d bytes\n", path, MAX_FILE);
  }
  if (file != NULL) fclose(file);
  *text = (witgate_bytes){room, length};
  return read;
}

static const witgate_json *read_json(const char *path) {
  witgate_bytes text;
  if (!read_whole(path, &text)) return NULL;
  const char *wrong = "";
  const witgate_json *value = witgate_json_read(text, &wrong);
  if (value == NULL) fprintf(stderr, "%s: %s\n", path, wrong);
  return value;
}

/* Whether an object has only members of these names; a line to standard error, if not. */
static bool is_known(const char *path, const witgate_json *object, const char *const *names) {
  if (object->kind != JSON_OBJECT) {
    fprintf(stderr, "%s: not an object\n", path);
    return false;
  }
  for (size_t i = 0; i < object->count; i++) {
    const char *const *name = names;
    while (*name != NULL && !witgate_equals(object->items[i].name, *name)) name++;
    if (*name != NULL) continue;
    witgate_bytes unknown = object->items[i].name;
    fprintf(stderr, "%s: unknown field %.*s\n", path, (int)unknown.length, unknown.data);
    return false;
  }
  return true;
}

static const char *const facts_names[] = {"$schema",
                                          "about",
                                          "challenged",
                                          "process.credentials",
                                          "process.names",
                                          "process.label",
                                          "process.privileges",
                                          "process.state",
                                          "process.start-time",
                                          "process.comm",
                                          "cgroups.trusted",
                                          "cgroups.claimed",
                                          "namespaces.all",
                                          "executable.info",
                                          "executable.doubts",
                                          "executable.sha256",
                                          "ancestry.parents",
                                          "cmdline.arguments",
                                          "environ.variables",
                                          "files.host",
                                          "files.workload",
                                          "systemd.unit",
                                          "http.exchanges",
                                          NULL};

static const char *const expected_names[] = {"$schema", "outcome",  "selectors", "unknown",
                                             "reason",  "settings", "wants",     NULL};

/* ---- Comparing ---- */

typedef struct {
  const char *path; /* written once, above what differs */
  bool differs;
} differences;

static void start_line(differences *seen) {
  if (!seen->differs) fprintf(stderr, "%s\n", seen->path);
  seen->differs = true;
}

static bool is_listed(const witgate_json *list, witgate_bytes text) {
  for (size_t i = 0; list != NULL && i < list->count; i++) {
    witgate_bytes item = list->items[i].text;
    if (item.length == text.length && memcmp(item.data, text.data, text.length) == 0) return true;
  }
  return false;
}

static bool is_found(const witgate_bytes *found, size_t count, witgate_bytes text) {
  for (size_t i = 0; i < count; i++) {
    if (found[i].length == text.length && memcmp(found[i].data, text.data, text.length) == 0) {
      return true;
    }
  }
  return false;
}

static void compare(differences *seen, const char *what, const witgate_json *expected,
                    const witgate_bytes *found, size_t count) {
  for (size_t i = 0; expected != NULL && i < expected->count; i++) {
    witgate_bytes item = expected->items[i].text;
    if (is_found(found, count, item)) continue;
    start_line(seen);
    fprintf(stderr, "  - %s%.*s is expected and not there\n", what, (int)item.length, item.data);
  }
  for (size_t i = 0; i < count; i++) {
    if (is_listed(expected, found[i])) continue;
    start_line(seen);
    fprintf(stderr, "  + %s%.*s is there and not expected\n", what, (int)found[i].length,
            found[i].data);
  }
}

/* A selector as it stands in an expected report: key:value or key:name:value. */
static witgate_bytes written(const witgate_selector *selector) {
  size_t key = strlen(selector->key), name = selector->is_named ? selector->name.length + 1 : 0;
  size_t length = key + 1 + name + selector->value.length;
  char *text = witgate_allocate(length + 1);
  memcpy(text, selector->key, key);
  text[key] = ':';
  if (selector->is_named) {
    memcpy(text + key + 1, selector->name.data, name - 1);
    text[key + name] = ':';
  }
  memcpy(text + key + 1 + name, selector->value.data, selector->value.length);
  return (witgate_bytes){text, length};
}

static bool is_described(const witgate_manifest *manifest, const char *key) {
  for (size_t i = 0; i < manifest->count; i++) {
    if (strcmp(manifest->keys[i].key, key) == 0) return true;
  }
  return false;
}

static void compare_report(differences *seen, const witgate_json *expected,
                           const witgate_report *report) {
  witgate_bytes *selectors = NULL, *unknown = NULL;
  size_t selector_count = 0, unknown_count = 0;
  witgate_manifest manifest = {0};
  witgate_describe(&manifest);
  for (size_t i = 0; i < report->selector_count; i++) {
    WITGATE_APPEND(selectors, selector_count) = written(&report->selectors[i]);
    if (is_described(&manifest, report->selectors[i].key)) continue;
    start_line(seen);
    fprintf(stderr, "  the key %s is not among those of witgate_describe\n",
            report->selectors[i].key);
  }
  for (size_t i = 0; i < report->unknown_count; i++) {
    WITGATE_APPEND(unknown, unknown_count) = witgate_text(report->unknown[i].key);
  }
  compare(seen, "", witgate_json_member(expected, "selectors"), selectors, selector_count);
  compare(seen, "unknown ", witgate_json_member(expected, "unknown"), unknown, unknown_count);
}

static void compare_outcome(differences *seen, const witgate_json *expected, witgate_outcome ended,
                            const witgate_report *report) {
  static const char *const words[] = {"reported", "not-applicable", "retry", "unavailable",
                                      "failed"};
  const char *found = witgate_now.gone ? "gone" : words[ended];
  const char *reason = report->reason == NULL ? "" : report->reason;
  const witgate_json *outcome = witgate_json_member(expected, "outcome");
  const witgate_json *because = witgate_json_member(expected, "reason");
  bool reason_differs = because != NULL && !witgate_equals(because->text, reason);
  if (outcome != NULL && witgate_equals(outcome->text, found) && !reason_differs) return;
  start_line(seen);
  witgate_bytes wanted = outcome == NULL ? witgate_text("nothing") : outcome->text;
  witgate_bytes why = because == NULL ? witgate_text("") : because->text;
  fprintf(stderr, "  expected %.*s %.*s\n", (int)wanted.length, wanted.data, (int)why.length,
          why.data);
  fprintf(stderr, "  found    %s %s\n", found, reason);
}

/* ---- One fixture ---- */

static bool run(const char *path, const witgate_json *expected) {
  differences seen = {path, false};
  witgate_report report = {0};
  const char *refused = witgate_validate(witgate_now.settings);
  if (refused != NULL) {
    start_line(&seen);
    fprintf(stderr, "  witgate_validate refuses the settings: %s\n", refused);
    return false;
  }
  witgate_outcome ended = witgate_attest(&report);
  compare_outcome(&seen, expected, ended, &report);
  bool has_report = ended == WITGATE_REPORTED && !witgate_now.gone;
  compare_report(&seen, expected, has_report ? &report : &(witgate_report){0});
  for (size_t i = 0; seen.differs && i < witgate_now.log_count; i++) {
    fprintf(stderr, "  log %s\n", witgate_now.log[i]);
  }
  return !seen.differs;
}

static bool check(const char *folder, const char *name) {
  char path[MAX_PATH], beside[MAX_PATH];
  int stem = (int)strlen(name) - (int)strlen(".json");
  snprintf(path, sizeof path, "%s/%s", folder, name);
  snprintf(beside, sizeof beside, "%s/%.*s.expected.json", folder, stem, name);
  const witgate_json *facts = read_json(path), *expected = read_json(beside);
  if (facts == NULL || expected == NULL || !is_known(path, facts, facts_names) ||
      !is_known(beside, expected, expected_names)) {
    return false;
  }
  const witgate_json *settings = witgate_json_member(expected, "settings");
  witgate_now = (witgate_call){.file = path, .facts = facts};
  witgate_now.wanted = witgate_json_member(expected, "wants");
  witgate_now.settings = settings == NULL ? witgate_text("{}") : settings->text;
  return run(path, expected);
}

int witgate_check_fixtures(const char *folder) {
  struct dirent **names;
  int count = scandir(folder, &names, is_fixture, alphasort);
  if (count < 0) perror(folder);
  if (count == 0) fprintf(stderr, "there is no fixture in %s\n", folder);
  if (count <= 0) return 1;
  int different = 0;
  for (int i = 0; i < count; i++) {
    if (!check(folder, names[i]->d_name)) different++;
    witgate_free_everything();
    free(names[i]);
  }
  free(names);
  printf("%d passed, %d failed\n", count - different, different);
  return different;
}
