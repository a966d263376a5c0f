from toykit.kernels.products import AheadOfTime as AheadOfTime
from toykit.kernels.products import Int8Int8 as Int8Int8
from toykit.kernels.products import JustInTime as JustInTime
from toykit.kernels.products import dense_product as dense_product
from toykit.kernels.products import random_weights as random_weights
