// Prints a member's home screen: node home-screen.mts
// Set LOYALTY_URL and LOYALTY_TOKEN, a member's, first.

const QUERY = /* GraphQL */ `
  # All that an app shows on a member's first screen, in one query. The member asks.
  query HomeScreen {
    program {
      name
      pointName
      pointNamePlural
    }
    me {
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
      subscription {
        status
        plan {
          name
          interval
        }
        periodEndsAt
        amountDue {
          amount
          currencyCode
        }
      }
      availableRewards {
        reward {
          code
          name
          imageUrl
        }
        cost
        pointsShort
        reasons
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
  me: {
    number: string;
    firstName: string | null;
    wallet: { available: number; expirations: { points: number; expiresAt: string }[] };
    tier: { tier: { name: string } | null; progress: number; next: { name: string } | null; amountToNext: Money | null } | null;
    entitlements: { benefit: { name: string }; left: number | null }[];
    subscription: { status: string; plan: { name: string }; periodEndsAt: string } | null;
    availableRewards: { reward: { name: string }; cost: number; pointsShort: number; reasons: string[] }[];
    cardUrl: string | null;
    entries: { nodes: Entry[] };
  };
}

interface Answer<Data> {
  data?: Data;
  errors?: { message: string; extensions: { code: string } }[];
}

export async function homeScreen(url: string, token: string): Promise<HomeScreen> {
  const response = await fetch(url, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ query: QUERY }),
    signal: AbortSignal.timeout(10_000),
  });
  const answer = (await response.json()) as Answer<HomeScreen>;
  if (!answer.data || answer.errors) throw new Error(answer.errors?.[0]?.message ?? response.statusText);
  return answer.data;
}

const { program, me } = await homeScreen(process.env.LOYALTY_URL!, process.env.LOYALTY_TOKEN!);
console.log(`${program.name}: ${me.wallet.available} ${program.pointNamePlural}`);
for (const { points, expiresAt } of me.wallet.expirations) console.log(`  ${points} until ${expiresAt}`);
if (me.tier?.next && me.tier.amountToNext) {
  const { amount, currencyCode } = me.tier.amountToNext;
  console.log(`  ${amount} ${currencyCode} to ${me.tier.next.name}`);
}
for (const { at, points, explanation } of me.entries.nodes) {
  console.log(at.slice(0, 10), points > 0 ? `+${points}` : points, explanation?.summary ?? "");
}
