"""What Google's loyalty classes and objects may hold, and what is wrong with one that does not fit.

Fields, types and what is required: Google's reference of the REST resources `loyaltyclass` and
`loyaltyobject` (version 1). The messages are those of Google's JSON parser.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

Shape: TypeAlias = "str | frozenset[str] | list[Shape] | dict[str, Shape]"
"""A scalar's type, the values of an enumeration, a list of one shape, or fields by name."""

STRING, BOOL, DOUBLE = "TYPE_STRING", "TYPE_BOOL", "TYPE_DOUBLE"
INT32, INT64 = "TYPE_INT32", "TYPE_INT64"
HTTPS_OR_LOOPBACK = re.compile(r"(https://|http://(127\.0\.0\.1|localhost)[:/])\S+")
COLOUR = re.compile(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
MESSAGES_MAX = 10
INT32_MAX = 2**31 - 1


def _enum(values: str) -> frozenset[str]:
    return frozenset(values.split())


def _each(names: str, shape: Shape) -> dict[str, Shape]:
    return dict.fromkeys(names.split(), shape)


TRANSLATED: Shape = {"kind": STRING, "language": STRING, "value": STRING}
LOCALIZED: Shape = {"kind": STRING, "translatedValues": [TRANSLATED], "defaultValue": TRANSLATED}
URI: Shape = {
    "kind": STRING,
    "uri": STRING,
    "description": STRING,
    "localizedDescription": LOCALIZED,
    "id": STRING,
}
IMAGE: Shape = {
    "kind": STRING,
    "sourceUri": {"uri": STRING, "description": STRING, "localizedDescription": LOCALIZED},
    "contentDescription": LOCALIZED,
    "privateImageId": STRING,
}
TIME: Shape = {"date": STRING}
INTERVAL: Shape = {"kind": STRING, "start": TIME, "end": TIME}
MESSAGE: Shape = {
    "kind": STRING,
    "header": STRING,
    "body": STRING,
    "id": STRING,
    "messageType": _enum(
        "MESSAGE_TYPE_UNSPECIFIED TEXT text EXPIRATION_NOTIFICATION expirationNotification"
        " TEXT_AND_NOTIFY"
    ),
    "displayInterval": INTERVAL,
    "localizedHeader": LOCALIZED,
    "localizedBody": LOCALIZED,
}
PLACE: Shape = {"kind": STRING, "latitude": DOUBLE, "longitude": DOUBLE}
TEXT_MODULE: Shape = {
    "header": STRING,
    "body": STRING,
    "localizedHeader": LOCALIZED,
    "localizedBody": LOCALIZED,
    "id": STRING,
}
LABEL_VALUE: Shape = {
    "label": STRING,
    "value": STRING,
    "localizedLabel": LOCALIZED,
    "localizedValue": LOCALIZED,
}
APP_TARGET: Shape = {
    "appLogoImage": IMAGE,
    "title": LOCALIZED,
    "description": LOCALIZED,
    "appTarget": {"targetUri": URI, "packageName": STRING},
}
MODULES: dict[str, Shape] = {
    "infoModuleData": {"labelValueRows": [{"columns": [LABEL_VALUE]}], "showLastUpdateTime": BOOL},
    "imageModulesData": [{"mainImage": IMAGE, "id": STRING}],
    "textModulesData": [TEXT_MODULE],
    "linksModuleData": {"uris": [URI]},
    "appLinkData": {
        "androidAppLinkInfo": APP_TARGET,
        "iosAppLinkInfo": APP_TARGET,
        "webAppLinkInfo": APP_TARGET,
        "displayText": LOCALIZED,
    },
    "valueAddedModuleData": [
        {
            "header": LOCALIZED,
            "body": LOCALIZED,
            "image": IMAGE,
            "uri": STRING,
            "viewConstraints": {"displayInterval": INTERVAL},
            "sortIndex": INT32,
        }
    ],
}
FIELD_SELECTOR: Shape = {"fields": [{"fieldPath": STRING, "dateFormat": STRING}]}
TEMPLATE_ITEM: Shape = {
    "firstValue": FIELD_SELECTOR,
    "secondValue": FIELD_SELECTOR,
    "predefinedItem": _enum("PREDEFINED_ITEM_UNSPECIFIED FREQUENT_FLYER_PROGRAM_NAME_AND_NUMBER"),
}
CARD_ROW: Shape = {
    "oneItem": {"item": TEMPLATE_ITEM},
    "twoItems": {"startItem": TEMPLATE_ITEM, "endItem": TEMPLATE_ITEM},
    "threeItems": {
        "startItem": TEMPLATE_ITEM,
        "middleItem": TEMPLATE_ITEM,
        "endItem": TEMPLATE_ITEM,
    },
}
CLASS_TEMPLATE: Shape = {
    "cardBarcodeSectionDetails": {
        "firstTopDetail": TEMPLATE_ITEM,
        "firstBottomDetail": TEMPLATE_ITEM,
        "secondTopDetail": TEMPLATE_ITEM,
    },
    "cardTemplateOverride": {"cardRowTemplateInfos": [CARD_ROW]},
    "detailsTemplateOverride": {"detailsItemInfos": [{"item": TEMPLATE_ITEM}]},
    "listTemplateOverride": {
        "firstRowOption": {"fieldOption": FIELD_SELECTOR, "transitOption": STRING},
        "secondRowOption": FIELD_SELECTOR,
        "thirdRowOption": FIELD_SELECTOR,
    },
}
NOTIFY: Shape = _enum(
    "NOTIFICATION_SETTINGS_FOR_UPDATES_UNSPECIFIED NOTIFY_ON_UPDATE notifyOnUpdate DO_NOT_NOTIFY"
)
SCREENSHOTS: Shape = {
    "screenshotEligibility": _enum("SCREENSHOT_ELIGIBILITY_UNSPECIFIED ELIGIBLE INELIGIBLE"),
    "nfcConstraint": [_enum("NFC_CONSTRAINT_UNSPECIFIED BLOCK_PAYMENT BLOCK_CLOSED_LOOP_TRANSIT")],
}
REVIEW_STATUS = _enum(
    "REVIEW_STATUS_UNSPECIFIED UNDER_REVIEW underReview APPROVED approved REJECTED rejected DRAFT"
    " draft"
)
CLASS: dict[str, Shape] = {
    **_each(
        "kind id version issuerName programName accountNameLabel accountIdLabel rewardsTierLabel"
        " rewardsTier secondaryRewardsTierLabel secondaryRewardsTier countryCode"
        " hexBackgroundColor",
        STRING,
    ),
    **_each(
        "localizedIssuerName localizedProgramName localizedAccountNameLabel"
        " localizedAccountIdLabel localizedRewardsTierLabel localizedRewardsTier"
        " localizedSecondaryRewardsTierLabel localizedSecondaryRewardsTier",
        LOCALIZED,
    ),
    **_each("programLogo heroImage wordMark wideProgramLogo", IMAGE),
    **MODULES,
    "messages": [MESSAGE],
    "allowMultipleUsersPerObject": BOOL,
    "homepageUri": URI,
    "locations": [PLACE],
    "merchantLocations": [{"latitude": DOUBLE, "longitude": DOUBLE}],
    "reviewStatus": REVIEW_STATUS,
    "review": {"comments": STRING},
    "redemptionIssuers": [INT64],
    "enableSmartTap": BOOL,
    "multipleDevicesAndHoldersAllowedStatus": _enum(
        "STATUS_UNSPECIFIED MULTIPLE_HOLDERS multipleHolders ONE_USER_ALL_DEVICES"
        " oneUserAllDevices ONE_USER_ONE_DEVICE oneUserOneDevice"
    ),
    "callbackOptions": {"url": STRING, "updateRequestUrl": STRING},
    "securityAnimation": {"animationType": _enum("ANIMATION_UNSPECIFIED FOIL_SHIMMER foilShimmer")},
    "viewUnlockRequirement": _enum(
        "VIEW_UNLOCK_REQUIREMENT_UNSPECIFIED UNLOCK_NOT_REQUIRED UNLOCK_REQUIRED_TO_VIEW"
    ),
    "classTemplateInfo": CLASS_TEMPLATE,
    "notifyPreference": NOTIFY,
}
POINTS: Shape = {
    "label": STRING,
    "localizedLabel": LOCALIZED,
    "balance": {
        "string": STRING,
        "int": INT32,
        "double": DOUBLE,
        "money": {"kind": STRING, "micros": INT64, "currencyCode": STRING},
    },
}
OBJECT: dict[str, Shape] = {
    **_each("kind id classId version accountName accountId smartTapRedemptionValue", STRING),
    **MODULES,
    "classReference": CLASS,
    "loyaltyPoints": POINTS,
    "secondaryLoyaltyPoints": POINTS,
    "linkedOfferIds": [STRING],
    "linkedObjectIds": [STRING],
    "state": _enum(
        "STATE_UNSPECIFIED ACTIVE active COMPLETED completed EXPIRED expired INACTIVE inactive"
    ),
    "barcode": {
        "kind": STRING,
        "type": _enum(
            "BARCODE_TYPE_UNSPECIFIED AZTEC CODE_39 CODE_128 CODABAR DATA_MATRIX EAN_8 EAN_13"
            " ITF_14 PDF_417 QR_CODE UPC_A TEXT_ONLY"
        ),
        "renderEncoding": _enum("RENDER_ENCODING_UNSPECIFIED UTF_8"),
        "value": STRING,
        "alternateText": STRING,
        "showCodeText": LOCALIZED,
    },
    "messages": [MESSAGE],
    "validTimeInterval": INTERVAL,
    "locations": [PLACE],
    "merchantLocations": [{"latitude": DOUBLE, "longitude": DOUBLE}],
    "hasUsers": BOOL,
    "hasLinkedDevice": BOOL,
    "disableExpirationNotification": BOOL,
    "heroImage": IMAGE,
    "groupingInfo": {"sortIndex": INT32, "groupingId": STRING},
    "passConstraints": SCREENSHOTS,
    "saveRestrictions": {"restrictToEmailSha256": STRING},
    "notifyPreference": NOTIFY,
}
CLASS_REQUIRED = ("id", "issuerName", "programName", "programLogo", "reviewStatus")
OBJECT_REQUIRED = ("id", "classId", "state")
ADDED_MESSAGE: dict[str, Shape] = {"message": MESSAGE}
SAVED: dict[str, Shape] = {"loyaltyClasses": [CLASS], "loyaltyObjects": [OBJECT]}


def misfits(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """Yield what is wrong with a JSON value; `null` stands for a field that is not set."""
    if value is None:
        return
    if isinstance(shape, dict):
        yield from _misfits_of_fields(value, shape, path)
    elif isinstance(shape, list):
        yield from _misfits_of_items(value, shape[0], path)
    elif isinstance(shape, frozenset):
        if value not in shape:
            yield f"Invalid value at '{path}' (TYPE_ENUM), {value!r}"
    elif not _fits(value, shape):
        yield f"Invalid value at '{path}' ({shape}), {value!r}"


def _misfits_of_items(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"Invalid value at '{path}', expected a list."
        return
    for place, one in enumerate(value):
        yield from misfits(one, shape, f"{path}[{place}]")


def _misfits_of_fields(value: Any, shape: Mapping[str, Shape], path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"Invalid value at '{path}', expected an object."
        return
    for name, one in value.items():
        if name not in shape:
            unknown = f"Unknown name \"{name}\" at '{path}': Cannot find field."
            yield f"Invalid JSON payload received. {unknown}"
        else:
            yield from misfits(one, shape[name], f"{path}.{name}")


def _fits(value: Any, kind: str) -> bool:
    """Return whether a scalar fits; numbers may come as text, as protobuf's JSON has it."""
    if kind == BOOL:
        return isinstance(value, bool)
    if kind == STRING:
        return isinstance(value, str)
    if isinstance(value, bool):
        return False
    if kind == DOUBLE:
        return isinstance(value, int | float)
    try:
        number = int(value) if isinstance(value, int | str) else None
    except ValueError:
        return False
    return number is not None and (kind == INT64 or -INT32_MAX - 1 <= number <= INT32_MAX)


def missing(value: Mapping[str, Any], required: Sequence[str]) -> Iterator[str]:
    """Yield what a resource lacks; a localised text stands for the plain one."""
    for name in required:
        if not value.get(name) and not value.get(f"localized{name[0].upper()}{name[1:]}"):
            yield f"Missing required field '{name}'."


def class_misfits(value: Mapping[str, Any]) -> Iterator[str]:
    """Yield what else a whole class must not say."""
    colour = value.get("hexBackgroundColor")
    if colour is not None and not COLOUR.fullmatch(colour):
        yield f"Invalid color {colour!r}; expected #rrggbb or #rgb."
    url = (value.get("callbackOptions") or {}).get("url")
    if url is not None and not HTTPS_OR_LOOPBACK.fullmatch(url):
        yield "The callback URL must be an https URL."
    yield from _images(value)


def object_misfits(value: Mapping[str, Any]) -> Iterator[str]:
    """Yield what else a whole object must not say."""
    for name in ("loyaltyPoints", "secondaryLoyaltyPoints"):
        balance = (value.get(name) or {}).get("balance") or {}
        if sum(one is not None for one in balance.values()) > 1:
            yield f"Only one type of balance may be set at '{name}.balance'."
    barcode = value.get("barcode")
    if barcode is not None and not (barcode.get("type") and barcode.get("value")):
        yield "A barcode needs 'type' and 'value'."
    if len(value.get("messages") or ()) > MESSAGES_MAX:
        yield f"At most {MESSAGES_MAX} messages are allowed."
    yield from _images(value)


def _images(value: Mapping[str, Any]) -> Iterator[str]:
    for name, shape in (CLASS | OBJECT).items():
        image = value.get(name)
        if shape is not IMAGE or image is None:
            continue
        url = (image.get("sourceUri") or {}).get("uri", "")
        if not HTTPS_OR_LOOPBACK.fullmatch(url):
            yield f"The image at '{name}.sourceUri.uri' must be an https URL."
