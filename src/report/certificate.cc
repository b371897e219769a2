// The certificate as JSON and as a table.
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/report.h"

namespace nibble {

using Json = nlohmann::ordered_json;

namespace {

Json channel_json(int64_t channel) { return channel < 0 ? Json(nullptr) : Json(channel); }

Json node_json(const NodeCertificate& node) {
  Json json = {{"name", node.node}, {"op", node.op}, {"integer", node.integer}};
  if (!node.integer) json["why_float"] = node.why_float;
  json["accumulator"] = json["rescaling"] = nullptr;
  if (node.accumulator) {
    const AccumulatorBound& bound = *node.accumulator;
    json["accumulator"] = {{"min", bound.min},
                           {"max", bound.max},
                           {"partial_min", bound.partial_min},
                           {"partial_max", bound.partial_max},
                           {"bits", bound.bits},
                           {"width", bound.width},
                           {"headroom_bits", bound.headroom_bits()},
                           {"channel", channel_json(bound.channel)}};
  }
  if (node.rescaling) {
    const RescalingBound& bound = *node.rescaling;
    json["rescaling"] = {{"steps", bound.steps},
                         {"factor_steps", bound.factor_steps},
                         {"rounding_steps", bound.rounding_steps},
                         {"channel", channel_json(bound.channel)},
                         {"exhaustive", bound.exhaustive}};
  }
  if (node.integer && !node.rescaling) json["why_unbounded"] = node.why_unbounded;
  return json;
}

std::string channel_text(const Json& channel) {
  return channel.is_null() ? "-" : std::to_string(channel.get<int64_t>());
}

}  // namespace

Json certificate_json(const Certificate& certificate) {
  Json nodes = Json::array();
  for (const NodeCertificate& node : certificate.nodes) nodes.push_back(node_json(node));
  return {{"certified", certificate.certified()},
          {"rounding", certificate.rounding},
          {"reasons", certificate.reasons()},
          {"nodes", nodes}};
}

std::string format_certificate(const Json& certificate) {
  std::vector<std::vector<std::string>> rows = {{"node", "op", "integer", "sum from", "to", "bits",
                                                 "spare", "channel", "error (steps)", "channel"}};
  for (const Json& node : certificate["nodes"]) {
    std::vector<std::string> row = {node["name"], node["op"],
                                    node["integer"].get<bool>() ? "yes" : "no"};
    const Json &sum = node["accumulator"], &error = node["rescaling"];
    if (sum.is_null())
      row.insert(row.end(), 5, "-");
    else
      row.insert(
          row.end(),
          {with_thousands(sum["min"].get<int64_t>()), with_thousands(sum["max"].get<int64_t>()),
           fmt::format("{}/{}", sum["bits"].get<int>(), sum["width"].get<int>()),
           std::to_string(sum["headroom_bits"].get<int>()), channel_text(sum["channel"])});
    if (error.is_null()) {
      row.insert(row.end(), {node["integer"].get<bool>() ? "unknown" : "-", "-"});
    } else {
      row.push_back(fmt::format("{}{:.5f}", error["exhaustive"].get<bool>() ? "= " : "<= ",
                                error["steps"].get<double>()));
      row.push_back(channel_text(error["channel"]));
    }
    rows.push_back(std::move(row));
  }
  std::string text = fmt::format("certificate (rounding {})\n\n{}\n",
                                 certificate["rounding"].get<std::string>(), format_table(rows));
  if (certificate["certified"].get<bool>())
    return text +
           "certified: every node computes on integers, no sum can leave its accumulator, and the "
           "rounding of every node is bounded\n";
  text += "not certified:\n";
  for (const Json& reason : certificate["reasons"]) text += "- " + reason.get<std::string>() + "\n";
  return text;
}

}  // namespace nibble
