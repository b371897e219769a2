// The survey's map of applications (arXiv 2508.15008, deployments of sections 5 and the selection
// rules of its conclusion), as data.
#include <algorithm>

#include "pipeline/recommend.h"

namespace nibble {
namespace {

constexpr Application kApplications[] = {
    {"speech", "keyword spotting, wake words, speech commands", EstimateBy::kPower,
     "it listens all the time, so what it draws on average decides",
     "8 bits with a scale per channel lose next to nothing on such networks",
     "a Cortex-M4F at 905 ms and 11 mJ, an MCXN947 with its accelerator at 3.8 ms, both at 8 bits"},
    {"vision", "image classification, detection, visual wake words", EstimateBy::kLatency,
     "images are large: RAM rules parts out, then time decides",
     "8 bits with a scale per channel; 4-bit weights buy flash, not time",
     "a MAX78000 at 5.5 ms and 0.19 mJ, an STM32H7A3 at 359 ms and 42 mJ for the same detector at "
     "8 bits"},
    {"motion", "activities and gestures from inertial sensors", EstimateBy::kEnergy,
     "worn on the body: latency and energy come first",
     "8 bits after training are enough (91 to 98 % in what was deployed)",
     "an STM32F756 at 21 to 40 ms and 4.5 to 8.8 mJ, a GAP9 at 1.1 to 1.9 ms and 0.035 to 0.063 mJ"},
    {"anomaly", "machine condition, faults, anomalies", EstimateBy::kEnergy,
     "small networks that run for years: energy and price come first",
     "8 bits are not free here (autoencoders lost up to four points in published results): compare "
     "with 16x8",
     "an ESP32-C3 at 82 ms and 6.8 mJ, a MAX78000 at 2.6 ms and 15 mW"},
    {"health", "biosignals, diagnosis", EstimateBy::kEnergy,
     "accuracy and reliability come first, then energy",
     "8 bits if the score holds, else 16x8: measure with `nibble compare` before choosing a part",
     "a MAX78002 at 18 mW (EEG), a GAP9 at 31 mW (capsule endoscopy), both at 8 bits"},
    {"robotics", "drones, navigation, control", EstimateBy::kLatency,
     "the control loop waits for the result: latency comes first",
     "8 bits with a scale per channel",
     "a GAP8 at 36 ms and 130 mW, an ESP32-P4 at 30 ms"},
};

}  // namespace

std::span<const Application> all_applications() { return kApplications; }

const Application* find_application(std::string_view name) {
  const auto found = std::ranges::find(kApplications, name, &Application::name);
  return found == std::end(kApplications) ? nullptr : &*found;
}

}  // namespace nibble
