// Offsets of the fields of nibble_words_s8 on the 32-bit targets, for assembly.
#pragma once

namespace nibble {

inline constexpr int kWordsX = 0, kWordsXStep = 4, kWordsDst = 8, kWordsDstStep = 12,
                     kWordsPixels = 16, kWordsWeights = 20, kWordsStart = 24, kWordsRuns = 28,
                     kWordsRunGroups = 32, kWordsRunSkip = 36, kWordsRescale = 40,
                     kWordsExtras = 44;

}  // namespace nibble
