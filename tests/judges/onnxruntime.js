// Runs an ONNX model in ONNX Runtime, sample by sample, on the CPU.
//
//   node onnxruntime.js MODEL.onnx INPUT.npy|INPUT.npz OUTPUT.npz [disabled|basic|extended|all]
//
// INPUT.npy holds samples of the model's only input, N first; an .npz has one array for each input,
// under its name. OUTPUT.npz gets one array for each output, N first. The last word is the level of
// ONNX Runtime's graph optimizations: `disabled` computes node by node as ONNX defines it, `all`
// (default) with the integer kernels that QuantizeLinear and DequantizeLinear become.
// onnxruntime-node is looked for in $NIBBLE_JUDGES/node_modules (`tools/setup test` installs it).
'use strict';
const fs = require('fs');
const path = require('path');
const zlib = require('zlib');

function fail(text) {
  process.stderr.write(`onnxruntime.js: ${text}\n`);
  process.exit(1);
}

// NumPy's names of element types: ONNX Runtime's name, array class.
const TYPES = {
  '<f4': ['float32', Float32Array],
  '|i1': ['int8', Int8Array],
  '|u1': ['uint8', Uint8Array],
  '<i2': ['int16', Int16Array],
  '<u2': ['uint16', Uint16Array],
  '<i4': ['int32', Int32Array],
  '<i8': ['int64', BigInt64Array],
};

function parseNpy(bytes, name) {
  if (bytes.length < 10 || bytes.toString('latin1', 1, 6) !== 'NUMPY') fail(`${name} is not .npy`);
  const wide = bytes[6] > 1;
  const start = wide ? 12 : 10;
  const length = wide ? bytes.readUInt32LE(8) : bytes.readUInt16LE(8);
  const header = bytes.toString('latin1', start, start + length);
  const descr = /'descr':\s*'([^']*)'/.exec(header);
  const shape = /'shape':\s*\(([^)]*)\)/.exec(header);
  const type = descr && TYPES[descr[1]];
  if (!type || !shape || /'fortran_order':\s*True/.test(header))
    fail(`${name}: only plain numbers in C order are read, not ${header.trim()}`);
  // A copy, so that the elements are aligned.
  const elems = Uint8Array.from(bytes.subarray(start + length));
  return {
    type: type[0],
    shape: shape[1].split(',').filter((text) => text.trim()).map(Number),
    data: new type[1](elems.buffer, 0, Math.floor(elems.length / type[1].BYTES_PER_ELEMENT)),
  };
}

// From the central directory, as local headers may leave out sizes.
function readNpz(bytes, name) {
  let end = bytes.length - 22;
  while (end >= 0 && bytes.readUInt32LE(end) !== 0x06054b50) --end;
  if (end < 0) fail(`${name} is not .npz`);
  const arrays = {};
  let at = bytes.readUInt32LE(end + 16);
  for (let i = bytes.readUInt16LE(end + 10); i > 0; --i) {
    const method = bytes.readUInt16LE(at + 10);
    const size = bytes.readUInt32LE(at + 20);
    const nameLength = bytes.readUInt16LE(at + 28);
    const member = bytes.toString('utf8', at + 46, at + 46 + nameLength);
    const local = bytes.readUInt32LE(at + 42);
    const from = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
    const packed = bytes.subarray(from, from + size);
    arrays[member.replace(/\.npy$/, '')] =
        parseNpy(method === 0 ? packed : zlib.inflateRawSync(packed), `${name}: ${member}`);
    at += 46 + nameLength + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
  }
  return arrays;
}

function npyBytes(array) {
  const descr = Object.keys(TYPES).find((key) => TYPES[key][0] === array.type);
  if (!descr) fail(`outputs of type ${array.type} are not written`);
  const shape = array.shape.length === 1 ? `${array.shape[0]},` : array.shape.join(', ');
  let header = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`;
  header = header.padEnd(64 * Math.ceil((header.length + 11) / 64) - 11) + '\n';
  const front = Buffer.alloc(10);
  front.write('\x93NUMPY\x01\x00', 'latin1');
  front.writeUInt16LE(header.length, 8);
  return Buffer.concat([front, Buffer.from(header, 'latin1'),
    Buffer.from(array.data.buffer, array.data.byteOffset, array.data.byteLength)]);
}

const CRC = Array.from({length: 256}, (_, i) => {
  for (let bit = 0; bit < 8; ++bit) i = i & 1 ? (i >>> 1) ^ 0xedb88320 : i >>> 1;
  return i >>> 0;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

// Members are stored, not packed. A name may hold anything: readers go by the directory.
function npzBytes(arrays) {
  const parts = [];
  const directory = [];
  let at = 0;
  for (const [name, array] of Object.entries(arrays)) {
    const content = npyBytes(array);
    const member = Buffer.from(`${name}.npy`, 'utf8');
    const head = Buffer.alloc(26);  // what both headers share, from the version on
    head.writeUInt16LE(20, 0);
    head.writeUInt16LE(0x0800, 2);
    head.writeUInt16LE(0x21, 8);
    head.writeUInt32LE(crc32(content), 10);
    head.writeUInt32LE(content.length, 14);
    head.writeUInt32LE(content.length, 18);
    head.writeUInt16LE(member.length, 22);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    directory.push(Buffer.from([0x50, 0x4b, 1, 2, 20, 0]), head, tail, member);
    parts.push(Buffer.from([0x50, 0x4b, 3, 4]), head, member, content);
    at += 30 + member.length + content.length;
  }
  const index = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(arrays).length, 8);
  end.writeUInt16LE(Object.keys(arrays).length, 10);
  end.writeUInt32LE(index.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, index, end]);
}

async function run(ort, model, input, level) {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: level,
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const bytes = fs.readFileSync(input);
  const arrays =
      input.endsWith('.npz') ? readNpz(bytes, input) : {[session.inputNames[0]]: parseNpy(bytes, input)};
  for (const name of session.inputNames)
    if (!arrays[name]) fail(`${input} has no array '${name}', an input of ${model}`);
  const count = arrays[session.inputNames[0]].shape[0];
  const results = {};
  for (let i = 0; i < count; ++i) {
    const feeds = {};
    for (const name of session.inputNames) {
      const {type, shape, data} = arrays[name];
      const size = data.length / count;
      feeds[name] =
          new ort.Tensor(type, data.slice(i * size, (i + 1) * size), [1, ...shape.slice(1)]);
    }
    const outputs = await session.run(feeds);
    for (const name of session.outputNames) {
      const {type, dims, data} = outputs[name];
      // The model's own batch of one makes room for N.
      const inner = dims[0] === 1 ? dims.slice(1) : dims;
      results[name] ||= {type, shape: [count, ...inner], data: new data.constructor(count * data.length)};
      results[name].data.set(data, i * data.length);
    }
  }
  return results;
}

async function main() {
  const [model, input, output, level = 'all'] = process.argv.slice(2);
  if (!output || !['disabled', 'basic', 'extended', 'all'].includes(level))
    fail('usage: onnxruntime.js MODEL.onnx INPUT.npy|INPUT.npz OUTPUT.npz [disabled|basic|extended|all]');
  let ort;
  try {
    ort = require(path.join(process.env.NIBBLE_JUDGES || '.', 'node_modules', 'onnxruntime-node'));
  } catch (error) {
    fail(`onnxruntime-node cannot be loaded: ${error.message}`);
  }
  try {
    fs.writeFileSync(output, npzBytes(await run(ort, model, input, level)));
  } catch (error) {
    fail(`${model}: ${error.message}`);
  }
}

main();
