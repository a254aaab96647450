/* The SDK's own tests, natively: JSON as hostile as it comes, every fact from a fixture, and what a
 * test says where something differs. Run in an empty folder. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "witgate_native.h"

static int failures;

#define CHECK(holds)                                                    \
  do {                                                                  \
    if (!(holds)) {                                                     \
      fprintf(stderr, "line %d does not hold: %s\n", __LINE__, #holds); \
      failures++;                                                       \
    }                                                                   \
  } while (0)

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* ---- JSON ---- */

static const witgate_json *json(const char *text) {
  const char *wrong = NULL;
  const witgate_json *value = witgate_json_read(witgate_text(text), &wrong);
  CHECK((value == NULL) == (wrong != NULL));
  return value;
}

static void json_is_read(void) {
  const witgate_json *value = json(" {\"a\" : [1, -2, true, null], \"b\":{}, \"c\":[] } ");
  const witgate_json *list = witgate_json_member(value, "a");
  CHECK(value != NULL && value->count == 3 && list->count == 4);
  uint64_t natural;
  int64_t integer;
  CHECK(witgate_json_unsigned(&list->items[0], 1, &natural) && natural == 1);
  CHECK(!witgate_json_unsigned(&list->items[0], 0, &natural));
  CHECK(!witgate_json_unsigned(&list->items[1], 5, &natural));
  CHECK(witgate_json_signed(&list->items[1], &integer) && integer == -2);
  CHECK(list->items[2].truth && list->items[3].kind == JSON_NULL);
  CHECK(witgate_json_member(value, "d") == NULL && witgate_json_member(list, "a") == NULL);
  CHECK(witgate_json_unsigned(json("18446744073709551615"), UINT64_MAX, &natural));
  CHECK(natural == UINT64_MAX);
  CHECK(!witgate_json_unsigned(json("18446744073709551616"), UINT64_MAX, &natural));
  CHECK(!witgate_json_unsigned(json("1.0"), 5, &natural));
}

static void strings_are_read(void) {
  CHECK(witgate_equals(json("\"a\\n\\u0041\\u00e9\\ud83d\\ude00\"")->text,
                       "a\nA\xc3\xa9\xf0\x9f\x98\x80"));
  CHECK(json("\"\\u0000\"")->text.length == 1);
  witgate_bytes bytes;
  CHECK(witgate_json_bytes(json("{\"base64\":\"/wA=\"}"), &bytes) && bytes.length == 2);
  CHECK(memcmp(bytes.data, "\xff\0", 2) == 0);
  const char *const wrong[] = {"{\"base64\":\"/wA\"}",
                               "{\"base64\":\"/w!=\"}",
                               "{\"base64\":\"/wB=\"}",
                               "{\"base64\":1}",
                               "1",
                               "{}"};
  for (size_t i = 0; i < COUNT(wrong); i++) CHECK(!witgate_json_bytes(json(wrong[i]), &bytes));
}

static void what_is_no_json_is_refused(void) {
  const char *const wrong[] = {"",
                               " ",
                               "{",
                               "}",
                               "[",
                               "[1",
                               "[1,",
                               "[1,]",
                               "[,1]",
                               "{\"a\"",
                               "{\"a\":",
                               "{\"a\":1",
                               "{\"a\":1,}",
                               "{a:1}",
                               "{1:1}",
                               "\"",
                               "\"\\",
                               "\"\\\"",
                               "\"\\x\"",
                               "\"\\u12\"",
                               "\"\\u123g\"",
                               "\"\\ud83d\"",
                               "\"\\ud83d\\u0041\"",
                               "\"\\ude00\"",
                               "\"\n\"",
                               "tru",
                               "nul",
                               "falsey",
                               "1 2",
                               "{} x",
                               "\xff",
                               "\"\xc3\"",
                               "'a'"};
  for (size_t i = 0; i < COUNT(wrong); i++) CHECK(json(wrong[i]) == NULL);
  char deep[201];
  memset(deep, '[', 100);
  memset(deep + 100, ']', 100);
  deep[200] = '\0';
  CHECK(json(deep) == NULL && json(deep + 80) == NULL);
  deep[120] = '\0';
  CHECK(json(deep + 80) != NULL);
  const char *said = NULL;
  witgate_json_read(witgate_text("{\n  x"), &said);
  CHECK(said != NULL && strstr(said, "line 2 column 3") != NULL);
}

/* Every text that begins like a fixture ends without a crash, whatever stands in it. */
static void cut_and_changed_json_is_survived(void) {
  static const char good[] =
      "{\"a\":[{\"b\":\"c\\u0041\\\\\"},-12.5e3,true,false,null,{\"base64\":\"/wA=\"}]}";
  static const char other[] = "{}[]\",:\\u0\x80\xff\n1";
  for (size_t length = 0; length < sizeof good; length++) {
    for (size_t change = 0; change < sizeof other; change++) {
      char text[sizeof good];
      memcpy(text, good, sizeof good);
      text[length] = other[change];
      const char *wrong;
      witgate_json_read((witgate_bytes){text, length}, &wrong);
      witgate_json_read((witgate_bytes){text, sizeof good - 1}, &wrong);
    }
    witgate_free_everything();
  }
}

/* ---- Facts ---- */

static const char everything[] =
    "{\"process.credentials\":{\"ok\":{\"uid\":1,\"gid\":2,\"groups\":[3,4]}},"
    "\"process.names\":{\"ok\":{\"user\":\"u\",\"group\":null,\"groups\":[null,\"g\"]}},"
    "\"process.label\":{\"err\":\"unsupported\"},"
    "\"process.privileges\":{\"ok\":{\"seccomp\":2,\"no_new_privs\":true,\"inheritable\":0,"
    "\"permitted\":18446744073709551615,\"effective\":1,\"bounding\":2,\"ambient\":3}},"
    "\"process.state\":{\"ok\":\"S\"},\"process.start-time\":{\"ok\":77},"
    "\"process.comm\":{\"ok\":{\"base64\":\"/wA=\"}},"
    "\"cgroups.trusted\":{\"ok\":[{\"hierarchy\":0,\"controllers\":[\"cpu\",\"io\"],\"prefix\":\"/"
    "a\","
    "\"delegated\":true,\"mounted\":false}]},"
    "\"cgroups.claimed\":{\"ok\":[{\"hierarchy\":9,\"controllers\":[],\"path\":\"/a/b\"}]},"
    "\"namespaces.all\":{\"ok\":[{\"kind\":\"mnt\",\"inode\":5,\"host\":true}]},"
    "\"executable.info\":{\"ok\":{\"path\":\"/"
    "x\",\"device\":1,\"inode\":2,\"size\":3,\"deleted\":false,"
    "\"same_on_host\":true}},\"executable.doubts\":{\"ok\":[\"memfd\",\"traced\"]},"
    "\"executable.sha256\":{\"err\":\"too-large\"},"
    "\"ancestry.parents\":{\"ok\":[{\"uid\":0,\"gid\":0,\"comm\":\"init\",\"executable\":null,"
    "\"start_time\":9}]},\"cmdline.arguments\":{\"ok\":[\"x\",{\"base64\":\"/w==\"}]},"
    "\"environ.variables\":{\"HOME\":{\"ok\":\"/root\"},\"NONE\":{\"ok\":null}},"
    "\"files.host\":{\"/d\":{\"entries\":{\"ok\":[{\"name\":\"f\",\"kind\":\"file\"}]}}},"
    "\"files.workload\":{\"/"
    "f\":{\"content\":{\"ok\":\"text\"},\"status\":{\"ok\":{\"kind\":\"file\","
    "\"size\":4,\"mode\":420,\"uid\":0,\"gid\":0,\"modified\":-1}}},"
    "\"/io\":{\"content\":{\"err\":{\"io\":\"EIO\"}}},\"/gone\":{\"content\":{\"err\":\"gone\"}}},"
    "\"systemd.unit\":{\"ok\":{\"id\":\"x.service\",\"slice\":\"s\",\"active_state\":\"active\","
    "\"sub_state\":\"running\",\"invocation_id\":null,\"user\":\"x\"}},"
    "\"http.exchanges\":[{\"endpoint\":\"e\",\"request\":{\"method\":\"GET\",\"path\":\"/a\"},"
    "\"outcome\":{\"ok\":{\"status\":200,\"headers\":[[\"etag\",\"1\"]],\"body\":\"yes\"}}},"
    "{\"endpoint\":\"e\",\"request\":{\"method\":\"POST\",\"path\":\"/a\",\"body\":\"b\"},"
    "\"outcome\":{\"err\":{\"unreachable\":\"nobody\"}}}]}";

static void begin(const char *facts) {
  witgate_now =
      (witgate_call){.file = "test", .facts = json(facts), .settings = witgate_text("{}")};
}

static void the_kernel_s_facts_are_those_of_the_fixture(void) {
  begin(everything);
  witgate_credentials credentials;
  CHECK(witgate_process_credentials(&credentials) == WITGATE_OK);
  CHECK(credentials.uid == 1 && credentials.groups.count == 2 && credentials.groups.items[1] == 4);
  witgate_names names;
  CHECK(witgate_process_names(&names) == WITGATE_OK && names.user.present && !names.group.present);
  CHECK(witgate_equals(names.groups.items[1].value, "g") && !names.groups.items[0].present);
  witgate_bytes bytes;
  CHECK(witgate_process_label(&bytes) == WITGATE_UNSUPPORTED);
  witgate_privileges privileges;
  CHECK(witgate_process_privileges(&privileges) == WITGATE_OK);
  CHECK(privileges.no_new_privs && privileges.permitted == UINT64_MAX && privileges.seccomp == 2);
  CHECK(witgate_process_state(&bytes) == WITGATE_OK && witgate_equals(bytes, "S"));
  uint64_t ticks;
  CHECK(witgate_process_start_time(&ticks) == WITGATE_OK && ticks == 77);
  CHECK(witgate_process_comm(&bytes) == WITGATE_OK && bytes.length == 2);
  witgate_trusted_cgroups trusted;
  CHECK(witgate_cgroups_trusted(&trusted) == WITGATE_OK && trusted.count == 1);
  CHECK(witgate_equals(trusted.items->controllers.items[1], "io") && trusted.items->delegated);
  witgate_claimed_cgroups claimed;
  CHECK(witgate_cgroups_claimed(&claimed) == WITGATE_OK && claimed.items->hierarchy == 9);
  witgate_namespaces namespaces;
  CHECK(witgate_namespaces_all(&namespaces) == WITGATE_OK && namespaces.items->host);
  witgate_unit unit;
  CHECK(witgate_systemd_unit(&unit) == WITGATE_OK && witgate_equals(unit.id, "x.service"));
  CHECK(unit.user.present && !unit.fragment_path.present && !unit.invocation_id.present);
}

static void what_a_process_claims_is_that_of_the_fixture(void) {
  begin(everything);
  witgate_bytes bytes;
  witgate_program program;
  CHECK(witgate_executable_info(&program) == WITGATE_OK && program.same_on_host);
  witgate_texts doubts;
  CHECK(witgate_executable_doubts(&doubts) == WITGATE_OK && doubts.count == 2);
  CHECK(witgate_equals(doubts.items[0], "memfd") && witgate_equals(doubts.items[1], "traced"));
  CHECK(witgate_executable_sha256(&bytes) == WITGATE_TOO_LARGE);
  witgate_ancestors ancestors;
  CHECK(witgate_ancestry_parents(&ancestors) == WITGATE_OK);
  CHECK(witgate_equals(ancestors.items->comm, "init") && ancestors.items->start_time == 9);
  witgate_texts arguments;
  CHECK(witgate_cmdline_arguments(&arguments) == WITGATE_OK && arguments.items[1].length == 1);
  CHECK(witgate_environ_variable("HOME", &bytes) == WITGATE_OK && bytes.length == 5);
  CHECK(witgate_environ_variable("NONE", &bytes) == WITGATE_ABSENT);
  CHECK(witgate_environ_variable("OTHER", &bytes) == WITGATE_UNSUPPORTED);
  CHECK(witgate_files_read(WITGATE_WORKLOAD, "/f", &bytes) == WITGATE_OK);
  CHECK(witgate_files_read(WITGATE_HOST, "/f", &bytes) == WITGATE_UNSUPPORTED);
  CHECK(witgate_files_read(WITGATE_WORKLOAD, "/io", &bytes) == WITGATE_IO);
  CHECK(strcmp(witgate_reason(WITGATE_IO), "EIO") == 0 && !witgate_now.gone);
  CHECK(witgate_files_read(WITGATE_WORKLOAD, "/gone", &bytes) == WITGATE_GONE && witgate_now.gone);
  witgate_directory_entries entries;
  CHECK(witgate_files_entries(WITGATE_HOST, "/d", &entries) == WITGATE_OK && entries.count == 1);
  witgate_file_status status;
  CHECK(witgate_files_status(WITGATE_WORKLOAD, "/f", &status) == WITGATE_OK);
  CHECK(status.modified == -1 && status.mode == 420);
}

static void an_endpoint_answers_as_recorded(void) {
  begin(everything);
  witgate_response response;
  CHECK(witgate_http_send("e", (witgate_request){.path = "/a"}, &response) == NULL);
  CHECK(response.status == 200 && witgate_equals(response.body, "yes"));
  CHECK(response.headers.count == 1 && witgate_equals(response.headers.items->name, "etag"));
  witgate_request post = {.method = "POST", .path = "/a", .body = witgate_text("b")};
  CHECK(strcmp(witgate_http_send("e", post, &response), "nobody") == 0);
  post.body = witgate_text("c");
  CHECK(strstr(witgate_http_send("e", post, &response), "no answer") != NULL);
}

static void the_cache_keeps_what_this_call_put_there(void) {
  begin("{}");
  witgate_bytes bytes;
  CHECK(!witgate_cache_get(WITGATE_PER_CGROUP, "k", &bytes));
  CHECK(witgate_cache_put(WITGATE_PER_CGROUP, "k", witgate_text("1"), 9) == NULL);
  CHECK(witgate_cache_put(WITGATE_PER_CGROUP, "k", witgate_text("2"), 9) == NULL);
  CHECK(witgate_cache_get(WITGATE_PER_CGROUP, "k", &bytes) && witgate_equals(bytes, "2"));
  CHECK(!witgate_cache_get(WITGATE_PER_PROCESS, "k", &bytes));
  witgate_bytes large = {witgate_allocate(65537), 65537};
  CHECK(witgate_cache_put(WITGATE_PER_CGROUP, "k", large, 9) != NULL);
}

/* ---- Values ---- */

static void a_value_that_the_daemon_would_refuse_costs_its_own_key(void) {
  char long_value[4098];
  memset(long_value, 'x', 4097);
  long_value[4097] = '\0';
  const char *const bad[] = {"",
                             "a\nb",
                             "\x1b[0m",
                             "a\xe2\x80\xae"
                             "b",
                             "\xc2\x85",
                             "\xff",
                             "\xc0\x80",
                             "\xed\xa0\x80",
                             "\xf4\x90\x80\x80",
                             "\xe2\x80",
                             long_value};
  for (size_t i = 0; i < COUNT(bad); i++) {
    witgate_report report = {0};
    witgate_report_number(&report, "uid", UINT64_MAX);
    witgate_report_text(&report, "user", bad[i]);
    CHECK(report.selector_count == 1 && report.unknown_count == 1);
    CHECK(witgate_equals(report.selectors->value, "18446744073709551615"));
  }
  witgate_report report = {0};
  witgate_report_text(&report, "user", "\xc3\xbcnal");
  witgate_report_text(&report, "path", long_value + 1);
  witgate_report_number(&report, "zero", 0);
  witgate_report_named(&report, "label", witgate_text("a\tb"), witgate_text("c"));
  witgate_report_named(&report, "label", witgate_text("ab"), witgate_text("c"));
  CHECK(report.selector_count == 4 && report.unknown_count == 1);
}

static void a_plugin_without_settings_takes_an_empty_object_only(void) {
  CHECK(witgate_validate(witgate_text(" { } ")) == NULL);
  const char *const wrong[] = {"", "{", "}", "[]", "{}{}", "null", "{\"a\":1}"};
  for (size_t i = 0; i < COUNT(wrong); i++) CHECK(witgate_validate(witgate_text(wrong[i])) != NULL);
  CHECK(witgate_validate((witgate_bytes){"{\0}", 3}) != NULL);
}

/* ---- Fixtures ---- */

void witgate_describe(witgate_manifest *manifest) {
  witgate_describe_key(manifest, (witgate_key){.key = "uid"});
}

witgate_outcome witgate_attest(witgate_report *report) {
  witgate_credentials found;
  witgate_log(WITGATE_INFO, "looking");
  witgate_status status = witgate_process_credentials(&found);
  if (status != WITGATE_OK) return witgate_failed(report, witgate_reason(status));
  witgate_report_number(report, found.uid == 7 ? "secret" : "uid", found.uid);
  if (witgate_wants("label")) {
    witgate_report_named(report, "uid", witgate_text("n"), witgate_text("v"));
  }
  return WITGATE_REPORTED;
}

static void put(const char *name, const char *text) {
  FILE *file = fopen(name, "w");
  if (file == NULL || fputs(text, file) < 0) abort();
  fclose(file);
}

/* What a run over these two files writes to standard error. */
static const char *said(const char *facts, const char *expected, int *failed) {
  static char text[4096];
  mkdir("f", 0700);
  put("f/a.json", facts);
  put("f/a.expected.json", expected);
  fflush(stderr);
  int kept = dup(2);
  if (freopen("said", "w", stderr) == NULL) abort();
  *failed = witgate_check_fixtures("f");
  fflush(stderr);
  dup2(kept, 2);
  close(kept);
  FILE *file = fopen("said", "r");
  size_t length = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
  if (file != NULL) fclose(file);
  text[length] = '\0';
  return text;
}

#define UID(n) "{\"process.credentials\":{\"ok\":{\"uid\":" n ",\"gid\":0,\"groups\":[]}}}"

static void fixtures_that_agree_pass_and_the_others_say_what_differs(void) {
  int failed;
  const char *text =
      said(UID("1"), "{\"outcome\":\"reported\",\"selectors\":[\"uid:1\"],\"wants\":[]}", &failed);
  CHECK(failed == 0 && text[0] == '\0');
  text =
      said(UID("1"), "{\"outcome\":\"reported\",\"selectors\":[\"uid:n:v\",\"uid:1\"]}", &failed);
  CHECK(failed == 0 && text[0] == '\0');
  text =
      said(UID("2"), "{\"outcome\":\"reported\",\"selectors\":[\"uid:1\"],\"wants\":[]}", &failed);
  CHECK(failed == 1 && strcmp(text,
                              "f/a.json\n  - uid:1 is expected and not there\n"
                              "  + uid:2 is there and not expected\n  log info: looking\n") == 0);
  text = said("{}", "{\"outcome\":\"failed\",\"reason\":\"other\"}", &failed);
  CHECK(failed == 1 &&
        strstr(text, "expected failed other\n  found    failed this host does not have it"));
  text = said(UID("7"), "{\"outcome\":\"reported\",\"selectors\":[\"secret:7\"],\"wants\":[]}",
              &failed);
  CHECK(failed == 1 && strstr(text, "secret is not among those of witgate_describe"));
  text = said(UID("1"), "{\"outcome\":\"reported\",\"settings\":{\"a\":1}}", &failed);
  CHECK(failed == 1 && strstr(text, "refuses the settings: this plugin has no settings"));
  text = said("{\"process.credentials\":{\"err\":\"gone\"}}",
              "{\"$schema\":\"s\",\"outcome\":\"gone\"}", &failed);
  CHECK(failed == 0 && text[0] == '\0');
}

static void files_that_cannot_be_used_are_named(void) {
  int failed;
  CHECK(strstr(said("{\"process.pid\":1}", "{}", &failed), "f/a.json: unknown field process.pid"));
  CHECK(strstr(said("{", "{}", &failed), "f/a.json: a name in quotes is expected here at line 1"));
  CHECK(strstr(said("{}", "{\"outcom\":1}", &failed), "f/a.expected.json: unknown field outcom"));
  CHECK(strstr(said("[]", "{}", &failed), "f/a.json: not an object"));
  CHECK(failed == 1);
  remove("f/a.json");
  remove("f/a.expected.json");
  CHECK(witgate_check_fixtures("f") == 1 && witgate_check_fixtures("none") == 1);
}

int main(void) {
  void (*const tests[])(void) = {
      json_is_read,
      strings_are_read,
      what_is_no_json_is_refused,
      cut_and_changed_json_is_survived,
      the_kernel_s_facts_are_those_of_the_fixture,
      what_a_process_claims_is_that_of_the_fixture,
      an_endpoint_answers_as_recorded,
      the_cache_keeps_what_this_call_put_there,
      a_value_that_the_daemon_would_refuse_costs_its_own_key,
      a_plugin_without_settings_takes_an_empty_object_only,
      fixtures_that_agree_pass_and_the_others_say_what_differs,
      files_that_cannot_be_used_are_named,
  };
  for (size_t i = 0; i < COUNT(tests); i++) {
    tests[i]();
    witgate_free_everything();
  }
  return failures == 0 ? 0 : 1;
}
