"""The listing of one app in a store, in every form of its links, and nothing else of that store."""

import pytest

from embargo.core.catalogue import App, Endpoint, Role, Stores
from embargo.core.decide import decide
from embargo.core.decision import Verdict
from embargo.core.stores import listing_urls
from embargo.policy.domains import url_pattern
from sample import app, policy, request

WECHAT = Stores(apple=("414478124",), google_play=("com.tencent.mm",), microsoft=("9NBLGGH4SLX7",))
LISTED = App(
    id="wechat",
    name="WeChat",
    endpoints=tuple(Endpoint(url_pattern(text), Role.STORE) for text in listing_urls(WECHAT)),
)
POLICY = policy([LISTED, app("other", "other.example")])

FORMS = {  # form: (URL with {id}, which id of the three)
    "Apple, with country and name": ("apps.apple.com/us/app/wechat/id{id}", "apple"),
    "Apple, with country": ("apps.apple.com/us/app/id{id}", "apple"),
    "Apple, bare": ("apps.apple.com/app/id{id}", "apple"),
    "Apple, another platform": ("apps.apple.com/cn/app/id{id}?platform=ipad", "apple"),
    "Apple, a page below it": ("apps.apple.com/us/app/wechat/id{id}/see-all/reviews", "apple"),
    "Apple, with a trailing slash": ("apps.apple.com/us/app/wechat/id{id}/", "apple"),
    "Apple, with a campaign": ("apps.apple.com/app/id{id}?mt=8&ct=web", "apple"),
    "Apple, name in another script": ("apps.apple.com/cn/app/%E5%BE%AE%E4%BF%A1/id{id}", "apple"),
    "Apple, capitals": ("apps.apple.com/US/App/WeChat/ID{id}", "apple"),
    "Apple, dot segments": ("apps.apple.com/us/app/x/../wechat/./id{id}", "apple"),
    "Apple, doubled slashes": ("apps.apple.com//us//app//id{id}", "apple"),
    "iTunes, with country and name": ("itunes.apple.com/us/app/wechat/id{id}?mt=8", "apple"),
    "iTunes, look-up": ("itunes.apple.com/lookup?id={id}", "apple"),
    "iTunes, look-up by country": ("itunes.apple.com/us/lookup?country=us&id={id}", "apple"),
    "iTunes, viewSoftware": ("itunes.apple.com/WebObjects/MZStore.woa/wa/viewSoftware?id={id}&mt=8", "apple"),
    "iTunes, geographic": ("geo.itunes.apple.com/us/app/wechat/id{id}", "apple"),
    "iTunes, reviews": ("itunes.apple.com/us/rss/customerreviews/id={id}/sortby=mostrecent/json", "apple"),
    "Apple, the store's own interface": ("amp-api.apps.apple.com/v1/catalog/us/apps/{id}?platform=web", "apple"),
    "Apple, its edge": ("amp-api-edge.apps.apple.com/v1/catalog/us/apps/{id}", "apple"),
    "Google, details": ("play.google.com/store/apps/details?id={id}", "google"),
    "Google, with language and country": ("play.google.com/store/apps/details?hl=en&id={id}&gl=US", "google"),
    "Google, an escaped dot": ("play.google.com/store/apps/details?id={escaped}", "google"),
    "Google, data safety": ("play.google.com/store/apps/datasafety?id={id}", "google"),
    "Google, testing": ("play.google.com/apps/testing/{id}", "google"),
    "Google, the old market": ("market.android.com/details?id={id}", "google"),
    "Google, the Play app's details": ("play-fe.googleapis.com/fdfe/details?doc={id}", "google"),
    "Google, the old Play app's": ("android.clients.google.com/fdfe/details?doc={id}", "google"),
    "Microsoft, detail": ("apps.microsoft.com/detail/{id}?hl=en-us&gl=US", "microsoft"),
    "Microsoft, detail with name": ("apps.microsoft.com/store/detail/wechat/{id}", "microsoft"),
    "Microsoft, product page": ("www.microsoft.com/en-us/p/wechat/{id}", "microsoft"),
    "Microsoft, product page with a tab": (
        "www.microsoft.com/en-us/p/wechat/{id}?activetab=pivot:overviewtab",
        "microsoft",
    ),
    "Microsoft, by productId": ("www.microsoft.com/store/productId/{id}", "microsoft"),
    "Microsoft, store apps": ("www.microsoft.com/en-us/store/apps/wechat/{id}", "microsoft"),
    "Microsoft, query": ("apps.microsoft.com/store/detail?productId={id}", "microsoft"),
    "Microsoft, without www": ("microsoft.com/store/apps/{id}", "microsoft"),
    "Microsoft, installer": ("get.microsoft.com/installer/download/{id}", "microsoft"),
    "Microsoft, the store's own interface": (
        "storeedgefd.dsp.mp.microsoft.com/v9.0/packageManifests/{id}?market=US",
        "microsoft",
    ),
    "Microsoft, display catalogue": ("displaycatalog.mp.microsoft.com/v7.0/products/{id}?market=US", "microsoft"),
    "Microsoft, small letters": ("apps.microsoft.com/detail/{small}", "microsoft"),
}
IDS = {  # store: (the app's id, ids that are not it)
    "apple": ("414478124", ["4144781240", "41447812", "1414478124", "414478125", "4144781241/x"]),
    "google": (
        "com.tencent.mm",
        ["com.tencent.mmx", "com.tencent.m", "com.tencent.mm.x", "xcom.tencent.mm", "com-tencent-mm"],
    ),
    "microsoft": ("9NBLGGH4SLX7", ["9NBLGGH4SLX70", "9NBLGGH4SLX", "19NBLGGH4SLX7", "9NBLGGH4SLX8"]),
}


def verdict(form: str, identifier: str) -> Verdict:
    url = form.format(id=identifier, escaped=identifier.replace(".", "%2E"), small=identifier.lower())
    host, _, rest = url.partition("/")
    return decide(POLICY, request(host, host, host, target="/" + rest)).verdict


@pytest.mark.parametrize(("form", "store"), FORMS.values(), ids=FORMS)
def test_the_listing_matches(form: str, store: str) -> None:
    assert verdict(form, IDS[store][0]) is Verdict.LOG


@pytest.mark.parametrize(("form", "store"), FORMS.values(), ids=FORMS)
def test_another_listing_never_matches(form: str, store: str) -> None:
    assert [other for other in IDS[store][1] if verdict(form, other) is not Verdict.PASS] == []


ELSEWHERE = {
    "the store's front page": "apps.apple.com/",
    "a search in the store": "apps.apple.com/us/search?term=wechat",
    "another app that is named alike": "apps.apple.com/us/app/wechat/id1",
    "Google's search": "play.google.com/store/search?q=com.tencent.mm",
    "another key of the query": "play.google.com/store/apps/details?x=com.tencent.mm",
    "Microsoft's front page": "www.microsoft.com/en-us/",
    "the id at another host": "example.org/app/id414478124",
    "the id below the store's host": "www.apps.apple.com/app/id414478124",
}


@pytest.mark.parametrize("url", ELSEWHERE.values(), ids=ELSEWHERE)
def test_nothing_else_of_the_store(url: str) -> None:
    assert verdict(url, "") is Verdict.PASS


def test_every_listing_url_is_a_pattern_of_its_own() -> None:
    texts = list(listing_urls(WECHAT))
    assert len(set(texts)) == len(texts)
    assert all("{" not in text for text in texts)


def test_no_ids_no_urls() -> None:
    assert list(listing_urls(Stores())) == []
