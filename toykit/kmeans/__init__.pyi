from toykit.kmeans.dynamic_programming import RunCosts as RunCosts
from toykit.kmeans.lagrangian import cheapest_partition as cheapest_partition
from toykit.kmeans.line import Clusters as Clusters
from toykit.kmeans.line import check_values as check_values
from toykit.kmeans.line import distinct as distinct
from toykit.kmeans.line import exact as exact
from toykit.kmeans.line import lloyd as lloyd
from toykit.kmeans.line import nearest as nearest
