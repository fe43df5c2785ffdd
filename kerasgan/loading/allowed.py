"""Which classes and functions a model file from elsewhere may name, and which no file may."""

import keras

# By name, so that what a later Keras adds is refused until somebody has looked at it.
LAYERS = frozenset(
    """
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
    AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention AugMix
    AutoContrast Average AveragePooling1D AveragePooling2D AveragePooling3D BatchNormalization Bidirectional
    CategoryEncoding CenterCrop Concatenate ContrastLimitedAdaptiveHistogramEqualization Conv1D Conv1DTranspose Conv2D
    Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM2D ConvLSTM3D Cropping1D Cropping2D Cropping3D CutMix
    Dense DepthwiseConv1D DepthwiseConv2D Discretization Dot Dropout ELU EinsumDense Embedding Equalization Flatten GRU
    GRUCell GaussianDropout GaussianNoise GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GroupQueryAttention Identity InputLayer
    LSTM LSTMCell LayerNormalization LeakyReLU Masking MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum MixUp
    MultiHeadAttention Multiply Normalization PReLU Permute Pipeline RMSNormalization RNN RandAugment RandomBrightness
    RandomColorDegeneration RandomColorJitter RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip
    RandomGaussianBlur RandomGrayscale RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation
    RandomSaturation RandomSharpness RandomShear RandomTranslation RandomZoom ReLU RepeatVector Rescaling Reshape
    Resizing ReversibleEmbedding SeparableConv1D SeparableConv2D SimpleRNN SimpleRNNCell Softmax Solarization
    SpatialDropout1D SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells Subtract TimeDistributed
    UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
    """.split()  # noqa: SIM905
)
CODE, FILES = "runs code that a file brings along", "reads files that a file names"
UNSEEN = "nobody has looked at for what it allocates"
REFUSED = {
    **dict.fromkeys(("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "__lambda__"), CODE),
    **dict.fromkeys(("StringLookup", "IntegerLookup", "TextVectorization"), FILES),
    **dict.fromkeys(("Hashing", "HashedCrossing", "MelSpectrogram", "STFTSpectrogram"), UNSEEN),
}
REFUSED_CLASSES = tuple(getattr(keras.layers, name) for name in REFUSED if hasattr(keras.layers, name))

# What goes once through a loop, or makes a tensor, for each of a number: the most that it may be.
REPEATING = {
    **dict.fromkeys(("AugMix", "RandAugment"), 100),
    **dict.fromkeys(("ArraySplit", "Dsplit", "Hsplit", "Split", "Unstack", "Vsplit"), 2**10),
    **dict.fromkeys((name for name in LAYERS if name.startswith("Adaptive")), 2**12),
}

# Where a class of Keras may be said to live -> its names, or what it must be derived from.
STOCK: dict[str, frozenset[str] | type] = {
    "keras": frozenset({"DTypePolicy", "Model", "Sequential"}),
    "keras.constraints": keras.constraints.Constraint,
    "keras.dtype_policies": frozenset({"DTypePolicy", "DTypePolicyMap"}),
    "keras.initializers": keras.initializers.Initializer,
    "keras.layers": LAYERS,
    "keras.losses": keras.losses.Loss,
    "keras.metrics": keras.metrics.Metric,
    "keras.models": frozenset({"Model", "Sequential"}),
    "keras.optimizers": keras.optimizers.Optimizer,
    "keras.optimizers.schedules": keras.optimizers.schedules.LearningRateSchedule,
    "keras.random": frozenset({"SeedGenerator"}),
    "keras.regularizers": keras.regularizers.Regularizer,
}
# Names without a public place, under which Keras itself writes them into files.
PRIVATE: dict[str, type] = {
    "keras.src.models.functional": keras.Model,
    **dict.fromkeys((f"keras.src.ops.{part}" for part in ("image", "linalg", "math", "nn", "numpy")), keras.Operation),
}
FUNCTIONS = (keras.activations, keras.losses, keras.metrics, keras.ops)
NO_FUNCTIONS = frozenset({"deserialize", "get", "serialize"})
# What Keras turns into values: tensors of a network's graph, arrays, `...` and slices.
VALUES = frozenset({"__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__"})
# A dtype such as "S1000000000" would make a single letter a gigabyte.
DTYPES = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64".split()  # noqa: SIM905
)
