from typing import get_args

from mnistpipe.data.params import Data
from mnistpipe.data.sources import public_addresses


def test_the_public_addresses_are_torchvisions() -> None:
    for dataset in get_args(Data.model_fields["dataset"].annotation):
        addresses = public_addresses(dataset)
        assert addresses
        assert all(address.startswith(("http://", "https://")) for address in addresses)
    assert public_addresses("emnist-letters") == ["https://biometrics.nist.gov/cs_links/EMNIST/"]
