# SPDX-License-Identifier: Apache-2.0
"""What a server asks of Placement, held against what Nova itself asks.

``recorded/requests.json`` is what Nova 34 made of each case: the query string
of its own ``ResourceRequest`` after its own request filters, without the
limit and empty parts. ``OWNER_NOVA``, which Nova adds when every nova-compute
is of 2026.2, is left out there and here.
"""

import json
import pathlib
from urllib import parse

from oslotest import base

from osc_migrate import model
from osc_migrate import resources
from osc_migrate import testing

RECORDED = pathlib.Path(__file__).parent / 'recorded' / 'requests.json'
# the flavor of the recording
SIZES = {'vcpus': 4, 'ram': 8192, 'disk': 40}


def asked(
    *,
    flavor: dict[str, int] | None = None,
    extra_specs: dict[str, str] | None = None,
    ports: dict[str, object] | None = None,
    **attributes: object,
) -> model.ResourceRequest:
    """Work out a request as the recording describes it."""
    return resources.request(
        testing.flavor(
            **{**SIZES, **(flavor or {})}, extra_specs=extra_specs or {}
        ),
        **{
            'image_properties': {},
            'image_traits': (),
            'is_volume_backed': False,
            **attributes,
            'ports': [
                testing.port(id=port_id, resource_request=request)
                for port_id, request in (ports or {}).items()
            ],
        },
    )


def parts(query: str) -> dict[str, list[list[str]]]:
    """Take a query apart, so that the order does not matter."""
    return {
        key: sorted(sorted(value.split(',')) for value in values)
        for key, values in parse.parse_qs(query).items()
    }


class RequestTest(base.BaseTestCase):
    def test_it_asks_what_nova_asks(self):
        """Every case is in the file; all are tried before one fails."""
        different = []
        for record in json.loads(RECORDED.read_text()):
            case, query = record.pop('case'), record.pop('query')
            ours = resources.query(asked(**record))
            if parts(ours) != parts(query):
                different.append(f'{case}:\n  Nova {query}\n  ours {ours}')
        self.assertEqual([], different)

    def test_what_is_not_known_is_taken_as_absent(self):
        plain = resources.query(asked())
        hidden = resources.request(
            testing.flavor(**SIZES, extra_specs=None),
            image_properties={},
            image_traits=(),
            is_volume_backed=False,
            ports=[testing.port(resource_request=None)],
        )
        self.assertEqual(plain, resources.query(hidden))

    def test_a_remote_managed_port_needs_such_a_host(self):
        request = resources.request(
            testing.flavor(),
            image_properties={},
            image_traits=(),
            is_volume_backed=False,
            ports=[testing.port(vnic_type='remote-managed')],
        )
        self.assertIn('COMPUTE_REMOTE_MANAGED_PORTS', request.root_required)

    def test_swap_is_counted_in_whole_gigabytes(self):
        for swap, disk in ((0, 40), (1, 41), (1024, 41), (1025, 42)):
            request = asked(flavor={'swap': swap})
            self.assertEqual(disk, request.total['DISK_GB'])

    def test_an_unreadable_mask_counts_no_cpus(self):
        for mask in ('x-y,1', '2-x,1', 'x-2,1', '1'):
            request = asked(
                extra_specs={
                    'hw:cpu_policy': 'mixed',
                    'hw:cpu_dedicated_mask': mask,
                }
            )
            self.assertEqual(1, request.total['PCPU'])

    def test_a_group_of_nothing_is_not_asked_for(self):
        """An extra spec may take away what another gives."""
        request = asked(extra_specs={'resources1:CUSTOM_FOO': '0'})
        self.assertEqual({''}, set(request.groups))
        bare = asked(
            extra_specs={'resources:VCPU': '0', 'resources:MEMORY_MB': '0'},
            flavor={'disk': 0},
        )
        self.assertEqual({''}, set(bare.groups))

    def test_an_unknown_encryption_asks_for_no_trait(self):
        request = asked(
            extra_specs={
                'hw:mem_encryption': 'true',
                'hw:mem_encryption_model': 'tomorrow',
            }
        )
        self.assertEqual(frozenset(), request.required_traits)
        self.assertEqual(1, request.total['MEM_ENCRYPTION_CONTEXT'])


class QueryTest(base.BaseTestCase):
    def test_equal_requests_have_equal_queries(self):
        one = asked(extra_specs={'trait:A': 'required', 'trait:B': 'required'})
        other = asked(
            extra_specs={'trait:B': 'required', 'trait:A': 'required'}
        )
        self.assertEqual(resources.query(one), resources.query(other))

    def test_nothing_asked_is_an_empty_query(self):
        nothing = model.ResourceRequest(
            groups={
                '': model.RequestGroup(
                    resources={},
                    required_traits=frozenset(),
                    forbidden_traits=frozenset(),
                )
            },
            group_policy=None,
            root_required=frozenset(),
            same_subtree=(),
        )
        self.assertEqual('', resources.query(nothing))

    def test_what_has_a_meaning_in_a_query_is_quoted(self):
        request = asked(image_traits=['CUSTOM A&B'])
        query = resources.query(request)
        self.assertIn('required=CUSTOM+A%26B', query)
        self.assertEqual([[['CUSTOM A&B']]], [parts(query)['required']])


class WishTest(base.BaseTestCase):
    def wish(
        self, properties: dict[str, object] | None = None, **specs: str
    ) -> resources.Wish:
        """Return what ``hw:`` extra specs and properties ask for."""
        flavor = testing.flavor(
            vcpus=4, extra_specs={f'hw:{k}': v for k, v in specs.items()}
        )
        return resources.Wish(flavor, properties or {})

    def test_the_flavor_is_believed_before_the_image(self):
        properties = {'hw_tpm_version': '1.2', 'hw_tpm_model': 'tpm-tis'}
        wish = self.wish(properties, tpm_version='2.0')
        self.assertEqual('2.0', wish('tpm_version'))
        self.assertEqual('tpm-tis', wish('tpm_model'))
        self.assertIsNone(wish('numa_nodes'))

    def test_a_vtpm_has_a_keeper(self):
        self.assertIsNone(self.wish().tpm_secret_security)
        self.assertIsNone(
            self.wish(tpm_secret_security='host').tpm_secret_security
        )
        wish = self.wish(tpm_version='2.0')
        self.assertEqual('user', wish.tpm_secret_security)

    def test_what_gives_a_guest_cells(self):
        for count, wish in (
            (0, self.wish()),
            (0, self.wish(cpu_policy='shared')),
            (0, self.wish(numa_nodes='x')),
            (0, self.wish(numa_nodes='0')),
            (2, self.wish(numa_nodes='2')),
            (2, self.wish({'hw_numa_nodes': 2})),
            (1, self.wish(mem_page_size='small')),
            (1, self.wish(pmem='6GB')),
            (1, self.wish(cpu_policy='dedicated')),
            (1, self.wish({'hw_cpu_policy': 'mixed'})),
            (3, self.wish(cpu_policy='dedicated', numa_nodes='3')),
        ):
            self.assertEqual(count, wish.numa_cells)

    def test_pinned_cpus(self):
        by_name = testing.flavor(vcpus=4, extra_specs={'resources:PCPU': '4'})
        for count, wish in (
            (0, self.wish()),
            (4, self.wish(cpu_policy='dedicated')),
            (4, resources.Wish(by_name, {})),
            (3, self.wish(cpu_policy='mixed', cpu_dedicated_mask='^0')),
            (0, self.wish(cpu_policy='mixed')),
        ):
            self.assertEqual(count, wish.pinned)

    def test_truth_is_read_as_nova_reads_it(self):
        for value in ('true', 'True', 'YES', '1', 'on', 't', ' y ', True):
            self.assertTrue(resources.is_true(value))
        for value in ('false', 'no', '0', '', None, False, 'maybe'):
            self.assertFalse(resources.is_true(value))
