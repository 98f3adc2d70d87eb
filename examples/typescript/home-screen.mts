// Prints a member's home screen: node home-screen.mts MEMBER_NUMBER
// Set LOYALTY_URL and LOYALTY_TOKEN first. In a web app, ask your own server for this: a partner's
// token must not reach a browser.

const QUERY = /* GraphQL */ `
  # All that an app shows on a member's first screen, in one query.
  query HomeScreen($member: MemberRef!) {
    program {
      name
      pointName
      pointNamePlural
    }
    member(ref: $member) {
      number
      firstName
      lastName
      wallet {
        available
        debt
        neverExpiring
        expirations {
          points
          expiresAt
        }
      }
      tier {
        tier {
          name
          color
        }
        progress
        next {
          name
        }
        amountToNext {
          amount
          currencyCode
        }
        pointsToNext
        risk {
          at
          amountToKeep {
            amount
            currencyCode
          }
          pointsToKeep
        }
      }
      entitlements {
        benefit {
          code
          name
          description
        }
        left
        renewsAt
      }
      passes {
        platform
        url
      }
      cardUrl
      entries(first: 10) {
        nodes {
          id
          kind
          points
          balanceAfter
          at
          explanation {
            summary
            steps {
              text
            }
          }
        }
        pageInfo {
          endCursor
          hasNextPage
        }
      }
    }
  }
`;

interface Entry {
  id: string;
  points: number;
  at: string;
  explanation: { summary: string } | null;
}

interface Money {
  amount: string;
  currencyCode: string;
}

interface HomeScreen {
  program: { name: string; pointNamePlural: string };
  member: {
    number: string;
    firstName: string | null;
    wallet: { available: number; expirations: { points: number; expiresAt: string }[] };
    tier: { tier: { name: string } | null; progress: number; next: { name: string } | null; amountToNext: Money | null } | null;
    entitlements: { benefit: { name: string }; left: number | null }[];
    cardUrl: string | null;
    entries: { nodes: Entry[] };
  } | null;
}

interface Answer<Data> {
  data?: Data;
  errors?: { message: string; extensions: { code: string } }[];
}

export async function homeScreen(url: string, token: string, number: string): Promise<HomeScreen> {
  const response = await fetch(url, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ query: QUERY, variables: { member: { number } } }),
    signal: AbortSignal.timeout(10_000),
  });
  const answer = (await response.json()) as Answer<HomeScreen>;
  if (!answer.data || answer.errors) throw new Error(answer.errors?.[0]?.message ?? response.statusText);
  return answer.data;
}

const [, , number] = process.argv;
const { program, member } = await homeScreen(process.env.LOYALTY_URL!, process.env.LOYALTY_TOKEN!, number!);
if (!member) throw new Error(`There is no member ${number}.`);
console.log(`${program.name}: ${member.wallet.available} ${program.pointNamePlural}`);
for (const { points, expiresAt } of member.wallet.expirations) console.log(`  ${points} until ${expiresAt}`);
if (member.tier?.next && member.tier.amountToNext) {
  const { amount, currencyCode } = member.tier.amountToNext;
  console.log(`  ${amount} ${currencyCode} to ${member.tier.next.name}`);
}
for (const { at, points, explanation } of member.entries.nodes) {
  console.log(at.slice(0, 10), points > 0 ? `+${points}` : points, explanation?.summary ?? "");
}
