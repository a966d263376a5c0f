from .products import AheadOfTime as AheadOfTime
from .products import Int8Int8 as Int8Int8
from .products import JustInTime as JustInTime
from .products import dense_product as dense_product
from .products import random_weights as random_weights
