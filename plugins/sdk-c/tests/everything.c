/* Calls every function of `witgate.h`, so that a build links them all. */
#include "witgate.h"

void everything(void) {
  witgate_credentials credentials;
  witgate_names names;
  witgate_bytes bytes = witgate_settings();
  witgate_privileges privileges;
  uint64_t ticks;
  witgate_trusted_cgroups trusted;
  witgate_claimed_cgroups claimed;
  witgate_namespaces namespaces;
  witgate_program program;
  witgate_texts doubts;
  witgate_ancestors ancestors;
  witgate_texts arguments;
  witgate_directory_entries entries;
  witgate_file_status file;
  witgate_unit unit;
  witgate_response response;
  witgate_status statuses[] = {
      witgate_process_credentials(&credentials),
      witgate_process_names(&names),
      witgate_process_label(&bytes),
      witgate_process_privileges(&privileges),
      witgate_process_state(&bytes),
      witgate_process_start_time(&ticks),
      witgate_process_comm(&bytes),
      witgate_cgroups_trusted(&trusted),
      witgate_cgroups_claimed(&claimed),
      witgate_namespaces_all(&namespaces),
      witgate_executable_info(&program),
      witgate_executable_doubts(&doubts),
      witgate_executable_sha256(&bytes),
      witgate_ancestry_parents(&ancestors),
      witgate_cmdline_arguments(&arguments),
      witgate_environ_variable("HOME", &bytes),
      witgate_files_read(WITGATE_HOST, "/etc/hostname", &bytes),
      witgate_files_entries(WITGATE_HOST, "/etc", &entries),
      witgate_files_status(WITGATE_HOST, "/etc/hostname", &file),
      witgate_systemd_unit(&unit),
  };
  for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
    witgate_log(WITGATE_DEBUG, witgate_reason(statuses[i]));
  }
  const char *wrong = witgate_http_send("docker", (witgate_request){.path = "/info"}, &response);
  if (wrong == NULL) wrong = witgate_cache_put(WITGATE_PER_PROCESS, "key", response.body, 1000);
  if (wrong != NULL) witgate_log(WITGATE_WARN, wrong);
  if (witgate_cache_get(WITGATE_PER_PROCESS, "key", &bytes) && witgate_wants("id") &&
      witgate_remaining_ms() > 0) {
    witgate_log(WITGATE_INFO, "kept");
  }
}
