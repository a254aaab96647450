/*
 * The component: what the author wrote over the generated bindings, `plugin.h`.
 *
 * The types of `witgate.h` are laid out as the generated ones, which is asserted for each, so facts
 * are handed on as they come. Compile this file with -fno-strict-aliasing, and with
 * -DWITGATE_ASKS_FOR_… for each interface of the world that is not always granted.
 */
#include <stdlib.h>
#include <string.h>

#include "plugin.h"
#include "witgate_parts.h"

typedef witgate_attestor_types_fact_error_t fact_error;

#define SAME(ours, theirs)                                                             \
  _Static_assert(sizeof(ours) == sizeof(theirs) && _Alignof(ours) == _Alignof(theirs), \
                 #ours " is not laid out as the generated " #theirs)

SAME(witgate_bytes, plugin_string_t);
SAME(witgate_optional, plugin_option_string_t);

void *witgate_allocate(size_t size) {
  void *memory = calloc(1, size > 0 ? size : 1);
  if (memory == NULL) abort();
  return memory;
}

/* The host refuses a string that is not UTF-8 together with the whole call. */
static plugin_string_t lowered(witgate_bytes bytes) {
  if (!witgate_is_utf8(bytes)) bytes = witgate_text("(text that is not UTF-8)");
  return (plugin_string_t){(uint8_t *)bytes.data, bytes.length};
}

static plugin_string_t lowered_string(const char *string) {
  return lowered(witgate_text(string == NULL ? "" : string));
}

static witgate_bytes lifted(plugin_string_t text) {
  return (witgate_bytes){(const char *)text.ptr, text.len};
}

/* ---- Exports ---- */

static plugin_list_string_t texts(const char *const *strings) {
  plugin_list_string_t list = {NULL, 0};
  for (; strings != NULL && *strings != NULL; strings++) {
    WITGATE_APPEND(list.ptr, list.len) = lowered_string(*strings);
  }
  return list;
}

void exports_witgate_attestor_attestor_describe(
    exports_witgate_attestor_attestor_manifest_t *described) {
  witgate_manifest manifest = {0};
  witgate_describe(&manifest);
  memset(described, 0, sizeof *described);
  for (size_t i = 0; i < manifest.count; i++) {
    const witgate_key *key = &manifest.keys[i];
    WITGATE_APPEND(described->keys.ptr, described->keys.len) =
        (exports_witgate_attestor_attestor_selector_key_t){lowered_string(key->key),
                                                           lowered_string(key->meaning),
                                                           lowered_string(key->example),
                                                           texts(key->derived_from),
                                                           key->named,
                                                           key->stable,
                                                           key->single,
                                                           key->secret};
  }
  described->config_schema = lowered_string(manifest.schema);
}

bool exports_witgate_attestor_attestor_validate(plugin_string_t *settings, plugin_string_t *wrong) {
  const char *reason = witgate_validate(lifted(*settings));
  if (reason == NULL) return true;
  *wrong = lowered_string(reason);
  return false;
}

static void hand_over(const witgate_report *report,
                      exports_witgate_attestor_attestor_report_t *reported) {
  memset(reported, 0, sizeof *reported);
  for (size_t i = 0; i < report->selector_count; i++) {
    const witgate_selector *selector = &report->selectors[i];
    WITGATE_APPEND(reported->selectors.ptr, reported->selectors.len) =
        (exports_witgate_attestor_attestor_selector_t){
            lowered_string(selector->key),
            {selector->is_named, lowered(selector->name)},
            lowered(selector->value)};
  }
  for (size_t i = 0; i < report->unknown_count; i++) {
    WITGATE_APPEND(reported->unknown.ptr, reported->unknown.len) =
        (exports_witgate_attestor_attestor_unknown_key_t){
            lowered_string(report->unknown[i].key), lowered_string(report->unknown[i].reason)};
  }
}

bool exports_witgate_attestor_attestor_attest(
    exports_witgate_attestor_attestor_report_t *reported,
    exports_witgate_attestor_attestor_failure_t *failure) {
  witgate_report report = {0};
  memset(failure, 0, sizeof *failure);
  switch (witgate_attest(&report)) {
    case WITGATE_REPORTED: hand_over(&report, reported); return true;
    case WITGATE_NOT_APPLICABLE:
      failure->tag = EXPORTS_WITGATE_ATTESTOR_ATTESTOR_FAILURE_NOT_APPLICABLE;
      return false;
    case WITGATE_RETRY:
      failure->tag = EXPORTS_WITGATE_ATTESTOR_ATTESTOR_FAILURE_RETRY;
      failure->val.retry = report.retry_ms;
      return false;
    case WITGATE_UNAVAILABLE:
      failure->tag = EXPORTS_WITGATE_ATTESTOR_ATTESTOR_FAILURE_UNAVAILABLE;
      failure->val.unavailable = lowered_string(report.reason);
      return false;
    case WITGATE_FAILED: break;
  }
  failure->tag = EXPORTS_WITGATE_ATTESTOR_ATTESTOR_FAILURE_FAILED;
  failure->val.failed = lowered_string(report.reason);
  return false;
}

/* The bindings would free what was handed over. It may be static, and the instance ends anyway. */
#define KEPT(function)                                                                             \
  __attribute__((__export_name__("cabi_post_witgate:attestor/attestor@0.1.0#" #function))) void    \
  __wasm_export_exports_witgate_attestor_attestor_##function##_post_return(uint8_t *handed_over) { \
    (void)handed_over;                                                                             \
  }

KEPT(describe)
KEPT(validate)
KEPT(attest)

/* ---- Imports ---- */

static witgate_status failed(const fact_error *error) {
  switch (error->tag) {
    case WITGATE_ATTESTOR_TYPES_FACT_ERROR_GONE: return WITGATE_GONE;
    case WITGATE_ATTESTOR_TYPES_FACT_ERROR_DENIED: return WITGATE_DENIED;
    case WITGATE_ATTESTOR_TYPES_FACT_ERROR_UNSUPPORTED: return WITGATE_UNSUPPORTED;
    case WITGATE_ATTESTOR_TYPES_FACT_ERROR_TOO_LARGE: return WITGATE_TOO_LARGE;
    default: return witgate_io(lifted(error->val.io));
  }
}

#define FACT(function, ours, theirs)                                                         \
  SAME(ours, theirs);                                                                        \
  witgate_status witgate_##function(ours *found) {                                           \
    fact_error error;                                                                        \
    return witgate_attestor_##function((void *)found, &error) ? WITGATE_OK : failed(&error); \
  }

FACT(process_credentials, witgate_credentials, witgate_attestor_process_credential_set_t)
FACT(process_names, witgate_names, witgate_attestor_process_name_set_t)
FACT(process_label, witgate_bytes, plugin_string_t)
FACT(process_privileges, witgate_privileges, witgate_attestor_process_privilege_set_t)
FACT(process_state, witgate_bytes, plugin_string_t)
FACT(process_start_time, uint64_t, uint64_t)
FACT(process_comm, witgate_bytes, plugin_list_u8_t)
SAME(witgate_trusted_cgroup, witgate_attestor_cgroups_trusted_entry_t);
FACT(cgroups_trusted, witgate_trusted_cgroups, witgate_attestor_cgroups_list_trusted_entry_t)
SAME(witgate_claimed_cgroup, witgate_attestor_cgroups_claimed_entry_t);
FACT(cgroups_claimed, witgate_claimed_cgroups, witgate_attestor_cgroups_list_claimed_entry_t)
SAME(witgate_namespace, witgate_attestor_namespaces_namespace_t);
FACT(namespaces_all, witgate_namespaces, witgate_attestor_namespaces_list_namespace_t)

#ifdef WITGATE_ASKS_FOR_EXECUTABLE
FACT(executable_info, witgate_program, witgate_attestor_executable_program_t)
FACT(executable_doubts, witgate_texts, plugin_list_string_t)
FACT(executable_sha256, witgate_bytes, plugin_string_t)
#endif

#ifdef WITGATE_ASKS_FOR_ANCESTRY
SAME(witgate_ancestor, witgate_attestor_ancestry_ancestor_t);
FACT(ancestry_parents, witgate_ancestors, witgate_attestor_ancestry_list_ancestor_t)
#endif

#ifdef WITGATE_ASKS_FOR_CMDLINE
FACT(cmdline_arguments, witgate_texts, plugin_list_list_u8_t)
#endif

/* A fact that may not be there, as it came: `size` bytes of it, if it is there. */
__attribute__((unused)) static witgate_status optional(bool ok, const fact_error *error,
                                                       bool is_some, const void *value, void *found,
                                                       size_t size) {
  if (!ok) return failed(error);
  if (!is_some) return WITGATE_ABSENT;
  memcpy(found, value, size);
  return WITGATE_OK;
}

#define OPTIONAL(ok, error, option, found) \
  optional(ok, &(error), (option).is_some, &(option).val, found, sizeof(option).val)

#ifdef WITGATE_ASKS_FOR_ENVIRON
witgate_status witgate_environ_variable(const char *name, witgate_bytes *found) {
  plugin_string_t which = lowered_string(name);
  plugin_option_list_u8_t value;
  fact_error error;
  bool ok = witgate_attestor_environ_variable(&which, &value, &error);
  return OPTIONAL(ok, error, value, found);
}
#endif

#ifdef WITGATE_ASKS_FOR_FILES
SAME(witgate_directory_entry, witgate_attestor_files_directory_entry_t);
SAME(witgate_directory_entries, witgate_attestor_files_list_directory_entry_t);
SAME(witgate_file_status, witgate_attestor_files_file_status_t);

witgate_status witgate_files_read(witgate_root root, const char *path, witgate_bytes *found) {
  plugin_string_t which = lowered_string(path);
  plugin_option_list_u8_t content;
  fact_error error;
  bool ok = witgate_attestor_files_read((uint8_t)root, &which, &content, &error);
  return OPTIONAL(ok, error, content, found);
}

witgate_status witgate_files_entries(witgate_root root, const char *path,
                                     witgate_directory_entries *found) {
  plugin_string_t which = lowered_string(path);
  witgate_attestor_files_option_list_directory_entry_t entries;
  fact_error error;
  bool ok = witgate_attestor_files_entries((uint8_t)root, &which, &entries, &error);
  return OPTIONAL(ok, error, entries, found);
}

witgate_status witgate_files_status(witgate_root root, const char *path,
                                    witgate_file_status *found) {
  plugin_string_t which = lowered_string(path);
  witgate_attestor_files_option_file_status_t status;
  fact_error error;
  bool ok = witgate_attestor_files_status((uint8_t)root, &which, &status, &error);
  return OPTIONAL(ok, error, status, found);
}
#endif

#ifdef WITGATE_ASKS_FOR_SYSTEMD
SAME(witgate_unit, witgate_attestor_systemd_unit_info_t);

witgate_status witgate_systemd_unit(witgate_unit *found) {
  witgate_attestor_systemd_option_unit_info_t unit;
  fact_error error;
  bool ok = witgate_attestor_systemd_unit(&unit, &error);
  return OPTIONAL(ok, error, unit, found);
}
#endif

#ifdef WITGATE_ASKS_FOR_HTTP
SAME(witgate_header, witgate_attestor_http_header_t);
SAME(witgate_response, witgate_attestor_http_response_t);

static const char *no_response(const witgate_attestor_http_http_error_t *error) {
  switch (error->tag) {
    case WITGATE_ATTESTOR_HTTP_HTTP_ERROR_TIMEOUT: return "no whole response in time";
    case WITGATE_ATTESTOR_HTTP_HTTP_ERROR_TOO_LARGE: return "the response is larger than the limit";
    default: return witgate_string(lifted(error->val.refused));
  }
}

const char *witgate_http_send(const char *endpoint, witgate_request asked,
                              witgate_response *response) {
  plugin_string_t name = lowered_string(endpoint);
  witgate_attestor_http_request_t request = {
      lowered_string(asked.method == NULL ? "GET" : asked.method),
      lowered_string(asked.path),
      {(witgate_attestor_http_header_t *)asked.headers, asked.header_count},
      {(uint8_t *)asked.body.data, asked.body.length}};
  witgate_attestor_http_http_error_t error;
  return witgate_attestor_http_send(&name, &request, (void *)response, &error)
             ? NULL
             : no_response(&error);
}
#endif

#ifdef WITGATE_ASKS_FOR_CACHE
bool witgate_cache_get(witgate_scope scope, const char *key, witgate_bytes *found) {
  plugin_string_t which = lowered_string(key);
  witgate_attestor_cache_option_hit_t hit;
  witgate_attestor_cache_cache_error_t error;
  if (!witgate_attestor_cache_get((uint8_t)scope, &which, &hit, &error) || !hit.is_some) {
    return false;
  }
  *found = (witgate_bytes){(const char *)hit.val.value.ptr, hit.val.value.len};
  return true;
}

const char *witgate_cache_put(witgate_scope scope, const char *key, witgate_bytes value,
                              uint32_t milliseconds) {
  plugin_string_t which = lowered_string(key);
  plugin_list_u8_t kept = {(uint8_t *)value.data, value.length};
  witgate_attestor_cache_cache_error_t error;
  if (witgate_attestor_cache_put((uint8_t)scope, &which, &kept, milliseconds, &error)) return NULL;
  return error.tag == WITGATE_ATTESTOR_CACHE_CACHE_ERROR_REFUSED
             ? witgate_string(lifted(error.val.refused))
             : "it is larger than the limit";
}
#endif

/* ---- What the operator wants ---- */

witgate_bytes witgate_settings(void) {
  plugin_string_t settings;
  witgate_attestor_config_settings(&settings);
  return lifted(settings);
}

bool witgate_wants(const char *key) {
  plugin_string_t which = lowered_string(key);
  return witgate_attestor_config_wants(&which);
}

uint32_t witgate_remaining_ms(void) { return witgate_attestor_config_remaining_ms(); }

void witgate_log(witgate_level level, const char *message) {
  plugin_string_t line = lowered_string(message);
  witgate_attestor_log_write((uint8_t)level, &line);
}
