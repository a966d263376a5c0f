from .dynamic_programming import RunCosts as RunCosts
from .lagrangian import cheapest_partition as cheapest_partition
from .line import Clusters as Clusters
from .line import check_values as check_values
from .line import distinct as distinct
from .line import exact as exact
from .line import lloyd as lloyd
from .line import nearest as nearest
