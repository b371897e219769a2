// Offsets of the fields of nibble_words_s8 on the 32-bit targets, for assembly.
#pragma once

namespace nibble {

inline constexpr int kWordsX = 0, kWordsXStep = 4, kWordsDst = 8, kWordsDstStep = 12,
                     kWordsPixels = 16, kWordsWeights = 20, kWordsRuns = 24, kWordsRunGroups = 28,
                     kWordsRunSkip = 32, kWordsStart = 36, kWordsExtras = 40, kWordsRescale = 44;

}  // namespace nibble
