// The command line: nibble VERB MODEL [options]. Exit codes: 0 good, 1 wrong or unsupported input,
// 2 wrong usage, 3 does not fit.
#include <algorithm>
#include <cstdio>
#include <span>
#include <system_error>

#include "base/interrupt.h"
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

std::vector<std::string> verb_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands({})) names.push_back(verb->get_name());
  return names;
}

std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
  std::string nearest = nearest_word(word, known);
  return nearest.empty() ? "" : fmt::format(", did you mean '{}'?", nearest);
}

// An option before the verb that nibble itself does not have: misspelt, or one of the verb's.
Status check_option(const CLI::App& app, const std::string& word) {
  std::string name = word.substr(0, word.find('='));
  if (name == "--" || app.get_option_no_throw(name)) return {};
  std::vector<std::string> own;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& known : option->get_lnames()) own.push_back("--" + known);
  for (const CLI::App* verb : app.get_subcommands({}))
    if (verb->get_option_no_throw(name))
      return usage_error(fmt::format("{} goes behind the verb: nibble VERB ... {}", name, name));
  return usage_error(fmt::format("unknown option '{}'{}; known before the verb: {}", name,
                                 suggestion(name, own), join(own, " ")));
}

// What stands up to the verb, before the parser complains that there is no verb.
Status check_beginning(const CLI::App& app, std::span<const std::string> words) {
  size_t position = verb_position(app, words);
  for (size_t i = 0; i < position; ++i)
    if (words[i].starts_with("-")) NIBBLE_TRY(check_option(app, words[i]));
  if (position == words.size() || find_verb(app, words[position])) return {};
  std::vector<std::string> verbs = verb_names(app);
  return usage_error(fmt::format("unknown verb '{}'{}; known: {}", words[position],
                                 suggestion(words[position], verbs), join(verbs, " ")));
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
  add_compile(app, line);
  add_run(app, line);
  add_deploy(app, line);
  add_targets(app, line);
  add_convert(app, line);
}

int fail(const std::string& who, const Error& error) {
  std::fprintf(stderr, "%s: %s\n", who.c_str(), error.message.c_str());
  return static_cast<int>(error.kind);
}

// What the parser found wrong with the words, and where their meaning is explained.
Error wrong_words(const CLI::App& app, const std::string& who, const CLI::ParseError& error,
                  const CommandLine& line) {
  if (app.get_subcommands().empty() && error.get_name() == "RequiredError")
    return usage_error("a verb is missing; known: " + join(verb_names(app), " "));
  std::string config =
      line.config.empty() ? "" : " (some of the options are in " + line.config + ")";
  return usage_error(
      fmt::format("{}{}; `{} --help` explains the options", error.what(), config, who));
}

int run(int argc, char** argv) {
  CLI::App app{
      "nibble: neural networks onto microcontrollers. Quantizes a model, writes C for it, and "
      "proves on an emulated core that the C computes what was promised."};
  app.name("nibble");
  app.require_subcommand(1);
  app.set_version_flag("--version", "nibble 0.1.0");
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
  add_verbs(app, line);
  std::string who = "nibble";
  const std::vector<std::string> typed(argv + 1, argv + argc);
  if (Status status = check_beginning(app, typed); !status.ok()) return fail(who, status.error());
  if (size_t position = verb_position(app, typed); position < typed.size())
    who = "nibble " + typed[position];
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
