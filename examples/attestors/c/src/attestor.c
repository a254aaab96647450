/* The operating system of the workload's own root, from os-release(5). */
#include <stddef.h>

#include "os_release.h"
#include "witgate.h"

void witgate_describe(witgate_manifest *manifest) {
  static const char *const facts[] = {"files.workload", NULL};
  static const struct {
    const char *key, *meaning, *example;
  } keys[] = {
      {"id", "the operating system, as os-release(5) names it", "debian"},
      {"version", "its version", "12"},
      {"variant", "its variant", "server"},
  };
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    witgate_describe_key(manifest, (witgate_key){.key = keys[i].key,
                                                 .meaning = keys[i].meaning,
                                                 .example = keys[i].example,
                                                 .derived_from = facts,
                                                 .single = true});
  }
}

/* The administrator's file, or the vendor's if that is not there. One that cannot be read is an
 * error, and never a reason to look at the other. */
static witgate_status read_os_release(witgate_bytes *content) {
  witgate_status status = witgate_files_read(WITGATE_WORKLOAD, "/etc/os-release", content);
  if (status != WITGATE_ABSENT) return status;
  return witgate_files_read(WITGATE_WORKLOAD, "/usr/lib/os-release", content);
}

witgate_outcome witgate_attest(witgate_report *report) {
  witgate_bytes content;
  witgate_status status = read_os_release(&content);
  if (status == WITGATE_ABSENT) return WITGATE_NOT_APPLICABLE;
  if (status != WITGATE_OK) return witgate_failed(report, witgate_reason(status));

  os_release release = os_release_parse(content);
  witgate_report_value(report, "id", release.id);
  if (release.version.present) witgate_report_value(report, "version", release.version.value);
  if (release.variant.present) witgate_report_value(report, "variant", release.variant.value);
  return WITGATE_REPORTED;
}
