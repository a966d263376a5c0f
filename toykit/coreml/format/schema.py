"""Names for the numbers in a Core ML package: the messages of `model.mlmodel` that toykit reads.

Protocol Buffers store field numbers, not names. The tables below give, for each message, number ->
(name, kind, label). The kind is a number ("int", "uint", "bool", "float", "double"), "string",
"bytes", or the name of another message; the label "single", "repeated" or "map" (from text to kind).
Names are those of Apple's format specification, https://apple.github.io/coremltools/mlmodel/;
`tests/parity/test_package.py` holds every line against the definitions inside coremltools.
"""


def _message(**fields):
    """name="number kind" or "number kind label" -> {number: (name, kind, label)}."""
    table = {}
    for name, line in fields.items():
        number, kind, label = [*line.split(), "single"][:3]
        table[int(number)] = (name, kind, label)
    return table


# What a model file can be. "mlProgram" is read, and the ML programs in a pipeline; other kinds are named.
MODEL_KINDS = {
    200: "pipelineClassifier",
    201: "pipelineRegressor",
    202: "pipeline",
    300: "glmRegressor",
    301: "supportVectorRegressor",
    302: "treeEnsembleRegressor",
    303: "neuralNetworkRegressor",
    304: "bayesianProbitRegressor",
    400: "glmClassifier",
    401: "supportVectorClassifier",
    402: "treeEnsembleClassifier",
    403: "neuralNetworkClassifier",
    404: "kNearestNeighborsClassifier",
    500: "neuralNetwork",
    501: "itemSimilarityRecommender",
    502: "mlProgram",
    555: "customModel",
    556: "linkedModel",
    560: "classConfidenceThresholding",
    600: "oneHotEncoder",
    601: "imputer",
    602: "featureVectorizer",
    603: "dictVectorizer",
    604: "scaler",
    606: "categoricalMapping",
    607: "normalizer",
    609: "arrayFeatureExtractor",
    610: "nonMaximumSuppression",
    900: "identity",
    2000: "textClassifier",
    2001: "wordTagger",
    2002: "visionFeaturePrint",
    2003: "soundAnalysisPreprocessing",
    2004: "gazetteer",
    2005: "wordEmbedding",
    2006: "audioFeaturePrint",
    3000: "serializedModel",
}

MESSAGES = {
    # The file: a version, a description of what goes in and out, and one of MODEL_KINDS.
    "Model": {
        **_message(specificationVersion="1 int", description="2 ModelDescription"),
        **{number: (name, "bytes", "single") for number, name in MODEL_KINDS.items()},
    },
    "Pipeline": _message(models="1 Model repeated"),
    "PipelineClassifier": _message(pipeline="1 Pipeline"),
    "PipelineRegressor": _message(pipeline="1 Pipeline"),
    "ModelDescription": _message(
        input="1 FeatureDescription repeated",
        output="10 FeatureDescription repeated",
        state="13 FeatureDescription repeated",
        predictedFeatureName="11 string",
        predictedProbabilitiesName="12 string",
        functions="20 FunctionDescription repeated",
        defaultFunctionName="21 string",
        metadata="100 Metadata",
    ),
    "FunctionDescription": _message(
        name="1 string",
        input="2 FeatureDescription repeated",
        output="3 FeatureDescription repeated",
        predictedFeatureName="4 string",
        predictedProbabilitiesName="5 string",
        state="6 FeatureDescription repeated",
    ),
    "Metadata": _message(
        shortDescription="1 string",
        versionString="2 string",
        author="3 string",
        license="4 string",
        userDefined="100 string map",
    ),
    "FeatureDescription": _message(name="1 string", shortDescription="2 string", type="3 FeatureType"),
    "FeatureType": _message(
        int64Type="1 Int64FeatureType",
        doubleType="2 DoubleFeatureType",
        stringType="3 StringFeatureType",
        imageType="4 ImageFeatureType",
        multiArrayType="5 ArrayFeatureType",
        dictionaryType="6 DictionaryFeatureType",
        sequenceType="7 SequenceFeatureType",
        stateType="8 StateFeatureType",
        isOptional="1000 bool",
    ),
    "Int64FeatureType": {},
    "DoubleFeatureType": {},
    "StringFeatureType": {},
    "DictionaryFeatureType": _message(int64KeyType="1 Int64FeatureType", stringKeyType="2 StringFeatureType"),
    "SequenceFeatureType": _message(
        int64Type="1 Int64FeatureType", stringType="3 StringFeatureType", sizeRange="101 SizeRange"
    ),
    "StateFeatureType": _message(arrayType="1 ArrayFeatureType"),
    "SizeRange": _message(lowerBound="1 uint", upperBound="2 int"),
    "ImageFeatureType": _message(
        width="1 int",
        height="2 int",
        colorSpace="3 int",
        enumeratedSizes="21 ImageFeatureType.EnumeratedImageSizes",
        imageSizeRange="31 ImageFeatureType.ImageSizeRange",
    ),
    "ImageFeatureType.EnumeratedImageSizes": _message(sizes="1 ImageFeatureType.ImageSize repeated"),
    "ImageFeatureType.ImageSize": _message(width="1 uint", height="2 uint"),
    "ImageFeatureType.ImageSizeRange": _message(widthRange="1 SizeRange", heightRange="2 SizeRange"),
    "ArrayFeatureType": _message(
        shape="1 int repeated",
        dataType="2 int",
        enumeratedShapes="21 ArrayFeatureType.EnumeratedShapes",
        shapeRange="31 ArrayFeatureType.ShapeRange",
        intDefaultValue="41 int",
        floatDefaultValue="51 float",
        doubleDefaultValue="61 double",
    ),
    "ArrayFeatureType.EnumeratedShapes": _message(shapes="1 ArrayFeatureType.Shape repeated"),
    "ArrayFeatureType.Shape": _message(shape="1 int repeated"),
    "ArrayFeatureType.ShapeRange": _message(sizeRanges="1 SizeRange repeated"),
    # The ML program: functions of blocks of operations.
    "Program": _message(
        version="1 int", functions="2 Function map", docString="3 string", attributes="4 Value map"
    ),
    "Function": _message(
        inputs="1 NamedValueType repeated",
        opset="2 string",
        block_specializations="3 Block map",
        attributes="4 Value map",
    ),
    "Block": _message(
        inputs="1 NamedValueType repeated",
        outputs="2 string repeated",
        operations="3 Operation repeated",
        attributes="4 Value map",
    ),
    "Operation": _message(
        type="1 string",
        inputs="2 Argument map",
        outputs="3 NamedValueType repeated",
        blocks="4 Block repeated",
        attributes="5 Value map",
    ),
    "Argument": _message(arguments="1 Argument.Binding repeated"),
    "Argument.Binding": _message(name="1 string", value="2 Value"),
    "NamedValueType": _message(name="1 string", type="2 ValueType"),
    "ValueType": _message(
        tensorType="1 TensorType",
        listType="2 ListType",
        tupleType="3 TupleType",
        dictionaryType="4 DictionaryType",
        stateType="5 StateType",
    ),
    "TensorType": _message(
        dataType="1 int", rank="2 int", dimensions="3 Dimension repeated", attributes="4 Value map"
    ),
    "ListType": _message(type="1 ValueType", length="2 Dimension"),
    "TupleType": _message(types="1 ValueType repeated"),
    "DictionaryType": _message(keyType="1 ValueType", valueType="2 ValueType"),
    "StateType": _message(wrappedType="1 ValueType"),
    "Dimension": _message(constant="1 Dimension.ConstantDimension", unknown="2 Dimension.UnknownDimension"),
    "Dimension.ConstantDimension": _message(size="1 uint"),
    "Dimension.UnknownDimension": _message(variadic="1 bool"),
    # A value is in the file itself ("immediate"), or a place in weight.bin.
    "Value": _message(
        docString="1 string",
        type="2 ValueType",
        immediateValue="3 Value.ImmediateValue",
        blobFileValue="5 Value.BlobFileValue",
    ),
    "Value.BlobFileValue": _message(fileName="1 string", offset="2 uint"),
    "Value.ImmediateValue": _message(
        tensor="1 TensorValue", tuple="2 TupleValue", list="3 ListValue", dictionary="4 DictionaryValue"
    ),
    "TensorValue": _message(
        floats="1 TensorValue.RepeatedFloats",
        ints="2 TensorValue.RepeatedInts",
        bools="3 TensorValue.RepeatedBools",
        strings="4 TensorValue.RepeatedStrings",
        longInts="5 TensorValue.RepeatedLongInts",
        doubles="6 TensorValue.RepeatedDoubles",
        bytes="7 TensorValue.RepeatedBytes",
    ),
    "TensorValue.RepeatedFloats": _message(values="1 float repeated"),
    "TensorValue.RepeatedDoubles": _message(values="1 double repeated"),
    "TensorValue.RepeatedInts": _message(values="1 int repeated"),
    "TensorValue.RepeatedLongInts": _message(values="1 int repeated"),
    "TensorValue.RepeatedBools": _message(values="1 bool repeated"),
    "TensorValue.RepeatedStrings": _message(values="1 string repeated"),
    "TensorValue.RepeatedBytes": _message(values="1 bytes"),
    "TupleValue": _message(values="1 Value repeated"),
    "ListValue": _message(values="1 Value repeated"),
    "DictionaryValue": _message(values="1 DictionaryValue.KeyValuePair repeated"),
    "DictionaryValue.KeyValuePair": _message(key="1 Value", value="2 Value"),
}

# MIL's element types: number -> (name, bits of one element).
DTYPES = {
    1: ("bool", 8),
    2: ("string", 0),
    10: ("float16", 16),
    11: ("float32", 32),
    12: ("float64", 64),
    13: ("bfloat16", 16),
    21: ("int8", 8),
    22: ("int16", 16),
    23: ("int32", 32),
    24: ("int64", 64),
    25: ("int4", 4),
    31: ("uint8", 8),
    32: ("uint16", 16),
    33: ("uint32", 32),
    34: ("uint64", 64),
    35: ("uint4", 4),
    36: ("uint2", 2),
    37: ("uint1", 1),
    38: ("uint6", 6),
    39: ("uint3", 3),
    40: ("float8e4m3fn", 8),
    41: ("float8e5m2", 8),
}

# Types of a multi-array in the description of inputs and outputs.
ARRAY_DTYPES = {
    65552: "float16",
    65568: "float32",
    65600: "float64",
    131080: "int8",
    131104: "int32",
}

COLOR_SPACES = {10: "GRAYSCALE", 20: "RGB", 30: "BGR", 40: "GRAYSCALE_FLOAT16"}
