// The command line: nibble VERB MODEL [options]. Exit codes: 0 good, 1 wrong or unsupported input,
// 2 wrong usage, 3 does not fit.
#include <algorithm>
#include <cstdio>
#include <system_error>

#include "base/progress.h"
#include "base/text.h"
#include "cli/verbs.h"

namespace nibble {
namespace {

// The command as it was typed, quoted where a shell would need it.
std::string typed_command(int argc, char** argv) {
  std::string text = "nibble";
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    bool plain = !word.empty() && word.find_first_not_of(
                                      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789_-./=,:+%@") == std::string::npos;
    text += plain ? " " + word : " '" + word + "'";
  }
  return text;
}

// A first word that is no verb, before the parser complains that there is none.
Status check_verb(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return {};
  std::vector<std::string> verbs;
  for (const CLI::App* verb : app.get_subcommands({})) verbs.push_back(verb->get_name());
  if (std::find(verbs.begin(), verbs.end(), argv[1]) != verbs.end()) return {};
  std::string nearest = nearest_word(argv[1], verbs);
  return usage_error(fmt::format(
      "unknown verb '{}'{}; known: {}", argv[1],
      nearest.empty() ? "" : fmt::format(", did you mean '{}'?", nearest), join(verbs, " ")));
}

// The one exception that may come from below: fmt::print, where stdout takes no more.
Status perform(const CommandLine& line) {
  try {
    return line.action();
  } catch (const std::system_error& error) {
    return input_error(fmt::format("standard output could not be written: {}", error.what()));
  }
}

int run(int argc, char** argv) {
  CLI::App app{
      "nibble: neural networks onto microcontrollers. Quantizes a model, writes C for it, and "
      "proves on an "
      "emulated core that the C computes what was promised."};
  app.require_subcommand(1);
  app.set_version_flag("--version", "nibble 0.1.0");
  app.failure_message(CLI::FailureMessage::simple);
  CommandLine line;
  app.add_option_function<std::vector<std::string>>(
         "--target-dir",
         [](const std::vector<std::string>& folders) {
           for (const std::string& folder : folders) add_target_folder(folder);
         },
         "a folder with target files of your own; before the verb")
      ->expected(1)
      ->type_name("DIR");
  line.command = typed_command(argc, argv);
  add_inspect(app, line);
  add_quantize(app, line);
  add_evaluate(app, line);
  add_compile(app, line);
  add_run(app, line);
  add_deploy(app, line);
  add_targets(app, line);
  add_convert(app, line);
  if (Status verb = check_verb(app, argc, argv); !verb.ok()) {
    std::fprintf(stderr, "nibble: %s\n", verb.error().message.c_str());
    return static_cast<int>(verb.error().kind);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return static_cast<int>(ErrorKind::kUsage);
  }
  if (line.quiet) Progress::disable();
  std::string verb = app.get_subcommands().front()->get_name();
  Status status = perform(line);
  if (status.ok() && (std::fflush(stdout) != 0 || std::ferror(stdout)))
    status = input_error("standard output could not be written (full disk, or closed)");
  if (status.ok()) return 0;
  std::fprintf(stderr, "nibble %s: %s\n", verb.c_str(), status.error().message.c_str());
  return static_cast<int>(status.error().kind);
}

}  // namespace
}  // namespace nibble

int main(int argc, char** argv) { return nibble::run(argc, argv); }
