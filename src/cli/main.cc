// The command line: nibble VERB MODEL [options]. Exit codes: 0 good, 1 wrong or unsupported input,
// 2 wrong usage, 3 does not fit.
#include <algorithm>
#include <cstdio>
#include <system_error>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/text.h"
#include "base/version.h"
#include "cli/verbs.h"

namespace nibble {
namespace {

// The command as it was typed, quoted where a shell would need it.
std::string typed_command(int argc, char** argv) {
  std::string text = "nibble";
  for (int i = 1; i < argc; ++i) text += " " + shell_word(argv[i]);
  return text;
}

// The one exception that may come from below: fmt::print, where stdout takes no more.
Status perform(const CommandLine& line) {
  try {
    return line.action();
  } catch (const std::system_error& error) {
    return input_error(fmt::format("standard output could not be written: {}", error.what()));
  }
}

void add_verbs(CLI::App& app, CommandLine& line) {
  add_inspect(app, line);
  add_quantize(app, line);
  add_evaluate(app, line);
  add_compare(app, line);
  add_compile(app, line);
  add_run(app, line);
  add_deploy(app, line);
  add_estimate(app, line);
  add_recommend(app, line);
  add_targets(app, line);
  add_convert(app, line);
  add_report(app, line);
  add_compare_reports(app, line);
}

int fail(const std::string& who, const Error& error) {
  std::fprintf(stderr, "%s: %s\n", who.c_str(), error.message.c_str());
  return static_cast<int>(error.kind);
}

int run(int argc, char** argv) {
  CLI::App app{
      "nibble: neural networks onto microcontrollers. Quantizes a model, writes C for it, and "
      "proves on an emulated core that the C computes what was promised."};
  app.name("nibble");
  app.require_subcommand(1);
  app.set_version_flag("--version", version_text());
  CommandLine line;
  app.add_option_function<std::vector<std::string>>(
         "--target-dir",
         [&line](const std::vector<std::string>& folders) {
           for (const std::string& folder : folders) {
             add_target_folder(folder);
             line.target_dirs.push_back(folder);
           }
         },
         "a folder with target files of your own; before the verb")
      ->expected(1)
      ->type_name("DIR");
  line.command = typed_command(argc, argv);
  add_verbs(app, line);
  std::string who = "nibble";
  const std::vector<std::string> typed(argv + 1, argv + argc);
  if (Status status = check_beginning(app, typed); !status.ok()) return fail(who, status.error());
  if (size_t position = verb_position(app, typed); position < typed.size())
    who = "nibble " + typed[position];
  if (Status status = check_options(app, typed); !status.ok()) return fail(who, status.error());
  Result<std::vector<std::string>> words = with_config(app, typed);
  if (!words.ok()) return fail(who, words.error());
  try {
    std::ranges::reverse(*words);  // as the parser takes them
    app.parse(*words);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    return fail(who, wrong_words(app, who, error, line));
  }
  if (line.quiet) Progress::disable();
  Status status = perform(line);
  if (status.ok() && (std::fflush(stdout) != 0 || std::ferror(stdout)))
    status = input_error("standard output could not be written (full disk, or closed)");
  return status.ok() ? 0 : fail(who, status.error());
}

}  // namespace
}  // namespace nibble

int main(int argc, char** argv) {
  nibble::clean_up_when_interrupted();
  return nibble::run(argc, argv);
}
