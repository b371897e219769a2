// ONNX's own protobuf messages, with the settings that Debian's libonnx_proto was built with. Only
// the messages are used: the checker and the shape inference of that library refuse newer files,
// the messages read them. Linking it costs 2 ms at program start (measured: 1.0 ms an empty
// program, 3.1 ms with it).
#pragma once

#ifndef ONNX_ML
#define ONNX_ML 1
#endif
#ifndef ONNX_NAMESPACE
#define ONNX_NAMESPACE onnx
#endif
#include <onnx/onnx_pb.h>
